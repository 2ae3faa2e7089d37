import type { IncomingHttpHeaders } from 'node:http';
import type { Facts } from '../model/entry.ts';

/** What the conditions of a request come to (RFC 9110 §13.2.2). */
export type Verdict = 'send' | 'not-modified' | 'failed';

type Validators = Pick<Facts, 'etag' | 'lastModified'>;

/**
 * Evaluates conditions in the order that RFC 9110 §13.2.2 sets: If-Match, else If-Unmodified-Since; then If-None-Match,
 * else If-Modified-Since. Only for GET and HEAD of something that exists.
 */
export function judgeConditions(headers: IncomingHttpHeaders, facts: Validators): Verdict {
  const match = headers['if-match'];
  if (match !== undefined) {
    if (!listHas(match, facts.etag, strongly)) return 'failed';
  } else if (modifiedAfter(facts, headers['if-unmodified-since']) === true) {
    return 'failed';
  }
  const none = headers['if-none-match'];
  if (none !== undefined) return listHas(none, facts.etag, weakly) ? 'not-modified' : 'send';
  return modifiedAfter(facts, headers['if-modified-since']) === false ? 'not-modified' : 'send';
}

/** True when a range may be answered: there is no If-Range, or it names exactly what we have (RFC 9110 §13.1.5). */
export function rangeApplies(ifRange: string | undefined, facts: Validators): boolean {
  if (ifRange === undefined) return true;
  const value = ifRange.trim();
  if (value.startsWith('"') || value.startsWith('W/')) return facts.etag !== undefined && strongly(value, facts.etag);
  // "A recipient … MUST use … an exact match when comparing the dates"
  return facts.lastModified !== undefined && value === facts.lastModified;
}

function listHas(list: string, etag: string | undefined, same: (one: string, other: string) => boolean): boolean {
  if (list.trim() === '*') return true;
  if (etag === undefined) return false;
  const tags = list.match(/(?:W\/)?"[^"]*"/g) ?? [];
  return tags.some((tag) => same(tag, etag));
}

function strongly(one: string, other: string): boolean {
  return one === other && !one.startsWith('W/');
}

function weakly(one: string, other: string): boolean {
  return one.replace(/^W\//, '') === other.replace(/^W\//, '');
}

/** Undefined when there is nothing to compare: "A recipient MUST ignore" a date that is none (§13.1.3). */
function modifiedAfter(facts: Validators, since: string | undefined): boolean | undefined {
  if (since === undefined || facts.lastModified === undefined) return undefined;
  const [modified, limit] = [Date.parse(facts.lastModified), Date.parse(since)];
  return Number.isNaN(modified) || Number.isNaN(limit) ? undefined : modified > limit;
}
