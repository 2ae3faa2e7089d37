/** A place in a lock that is a graph: its edges are names of other places. */
export interface Node {
  needs: readonly string[];
  /** What it does without where it cannot be had. */
  mayHave: readonly string[];
}

/** Where a project starts. */
export interface Roots {
  needs: readonly string[];
  mayHave: readonly string[];
  /** For development. */
  dev: readonly string[];
}

/** What npm writes into its locks, and others leave to be found. */
export interface Flags {
  dev: boolean;
  optional: boolean;
  devOptional: boolean;
}

/** Finds for each place what it is there for. Places that nothing leads to count as needed. */
export function flagsIn(nodes: ReadonlyMap<string, Node>, roots: Roots): (id: string) => Flags {
  const needed = reach(nodes, roots.needs, false);
  const shipped = reach(nodes, [...roots.needs, ...roots.mayHave], true);
  const required = reach(nodes, [...roots.needs, ...roots.dev], false);
  const all = reach(nodes, [...roots.needs, ...roots.mayHave, ...roots.dev], true);
  return (id) => {
    if (!all.has(id)) return { dev: false, optional: false, devOptional: false };
    const dev = !shipped.has(id);
    const optional = !required.has(id);
    return { dev, optional, devOptional: !needed.has(id) && !dev && !optional };
  };
}

/** The start of a graph whose project is not known: what nobody else needs. */
export function guessedRoots(nodes: ReadonlyMap<string, Node>): Roots {
  const pointed = new Set([...nodes.values()].flatMap(({ needs, mayHave }) => [...needs, ...mayHave]));
  return { needs: [...nodes.keys()].filter((id) => !pointed.has(id)), mayHave: [], dev: [] };
}

function reach(nodes: ReadonlyMap<string, Node>, from: readonly string[], withOptional: boolean): Set<string> {
  const found = new Set<string>();
  const open = [...from];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    const node = nodes.get(id);
    if (!node || found.has(id)) continue;
    found.add(id);
    open.push(...node.needs, ...(withOptional ? node.mayHave : []));
  }
  return found;
}
