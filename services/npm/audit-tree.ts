import { MirrorError } from '../../shared/model/errors.ts';
import { addTo, type Installed, isObject } from './audit-question.ts';

/** A place in a tree of packages. */
export interface Place {
  name: string;
  version: string;
  /** Names from the project down to it. */
  path: string[];
  dev: boolean;
  optional: boolean;
  bundled: boolean;
}

export interface AuditTree {
  installed: Installed;
  places: Place[];
}

/** More than the largest trees have; each costs memory. */
const MOST_PLACES = 500_000;

/**
 * Reads the body of `audits` and `audits/quick`: a lock of npm, or the tree that yarn and pnpm make of theirs.
 * Only names and versions are taken from it. Throws `too-large`; `not-held` for a tree that leaves out what it requires,
 * as npm 10 sends it of the newest locks when its first question was refused: nothing found would be no answer.
 */
export function readTree(body: Record<string, unknown>): AuditTree {
  const tree: AuditTree = { installed: new Map(), places: [] };
  const top = childrenOf(body);
  if (top.length === 0 && isObject(body.requires) && Object.keys(body.requires).length > 0)
    throw new MirrorError('not-held', 'audit', 'the tree does not say what is installed: nothing can be said of it');
  const waiting: { name: string; node: Record<string, unknown>; above: string[]; isProject: boolean }[] = [];
  const isProject = listsProjects(body, top);
  for (const [name, node] of top) waiting.push({ name, node, above: [], isProject });
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    const { name, node, above } = next;
    const path = [...above, name];
    if (!next.isProject && addTo(tree.installed, name, node.version)) tree.places.push(placeOf(name, node, path));
    for (const [below, child] of childrenOf(node))
      waiting.push({ name: below, node: child, above: path, isProject: false });
    if (tree.places.length + waiting.length > MOST_PLACES)
      throw new MirrorError('too-large', 'audit', `the tree has over ${MOST_PLACES} places`);
  }
  return tree;
}

/** pnpm's first level are the projects of its workspace, by their folders: nobody's packages, and nobody's business. */
function listsProjects(body: Record<string, unknown>, top: [string, Record<string, unknown>][]): boolean {
  const isSilent = isObject(body.metadata) && Object.keys(body.metadata).length === 0;
  return isSilent && top.every(([, node]) => !('integrity' in node));
}

function childrenOf(node: Record<string, unknown>): [string, Record<string, unknown>][] {
  if (!isObject(node.dependencies)) return [];
  return Object.entries(node.dependencies).filter((child): child is [string, Record<string, unknown>] =>
    isObject(child[1]),
  );
}

function placeOf(name: string, node: Record<string, unknown>, path: string[]): Place {
  return {
    name,
    version: node.version as string,
    path,
    dev: node.dev === true,
    optional: node.optional === true,
    bundled: node.bundled === true,
  };
}
