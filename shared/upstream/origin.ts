import type { Promised } from '../model/digest.ts';
import type { Facts } from '../model/entry.ts';
import type { MirrorError } from '../model/errors.ts';
import type { Ref } from '../model/ref.ts';
import type { Answer } from './answers.ts';
import type { Credentials } from './credentials.ts';

/** One origin, in a service's words. */
export interface OriginDescription {
  /** `Ref.origin`. */
  name: string;
  /** Hosts (`host` or `host:port`) that may be dialled for it, asked anew each time; `any` only where the operator says so. */
  hosts: 'any' | ((host: string, ref: Ref) => boolean);
  headers?(ref: Ref): Record<string, string>;
  credentials?: Credentials;
  /** Hosts that get the credentials. */
  credentialHosts?: readonly string[];
  /**
   * Set: nothing is said to it before it asks. It gets a token of the server that its 401 names, or, asking for
   * nothing more, the credentials themselves. Token servers are among `hosts`; they get credentials as `credentialHosts` say.
   */
  tokens?: {
    /** What a token is for, where one does not serve for all: `repository:library/busybox:pull`. */
    scope?(ref: Ref): string;
    /** Exchanged for tokens by POST, at hosts that get the credentials ("OAuth2 Token Authentication" of distribution). */
    refreshToken?: string;
  };
  /** PEM of authorities that are trusted for it beside the usual ones. */
  ca?: readonly string[];
  /** Statuses that mean "no such thing"; 404 and 410 unless told. */
  absent?: readonly number[];
  /**
   * What an answer of 400 and more means where its status alone does not tell: no such thing, or an error with the
   * origin's own words. Undefined: what the status says.
   */
  refusal?(answer: Answer, ref: Ref): MirrorError | 'absent' | undefined;
  /** Its answers may come compressed: asked for where pages are large and not files. */
  compressed?(ref: Ref): boolean;
  /** What its headers mean, beyond HTTP's own. `hops` are those that led to the bytes. */
  facts?(answer: Answer, ref: Ref): { facts: Facts; promised?: Promised };
}

/** True when this origin means "no such thing" by a status. */
export function isAbsent(origin: OriginDescription, status: number): boolean {
  return (origin.absent ?? [404, 410]).includes(status);
}

/** True for an address that may be dialled for this origin. */
export function mayDial(origin: OriginDescription, url: URL, ref: Ref): boolean {
  return origin.hosts === 'any' || origin.hosts(url.host, ref);
}
