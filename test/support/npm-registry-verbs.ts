import type { RegistryClient } from './npm-registry-clients.ts';

/** Words after a client's name; a package is given as `@site/tool`, a version as `@site/tool@1.0.0`. */
export interface Verbs {
  /** What it asks for on a terminal, with a user name and a password. */
  login?: { args: string[]; asks: (user: string, password: string) => [question: string, answer: string][] };
  logout?: string[];
  whoami?: string[];
  publish: string[];
  view: (name: string) => string[];
  /** Adds a tag to a version, lists those of a package, takes one away. */
  tags?: {
    add: (id: string, tag: string) => string[];
    list: (name: string) => string[];
    remove: (name: string, tag: string) => string[];
  };
  search?: (text: string) => string[];
  audit?: string[];
  deprecate?: (id: string, words: string) => string[];
  unpublish?: (id: string) => string[];
}

const npm: Verbs = {
  login: {
    args: ['login'],
    asks: (user, password) => [
      ['Username:', user],
      ['Password:', password],
    ],
  },
  logout: ['logout'],
  whoami: ['whoami'],
  publish: ['publish'],
  view: (name) => ['view', name, '--json'],
  tags: {
    add: (id, tag) => ['dist-tag', 'add', id, tag],
    list: (name) => ['dist-tag', 'ls', name],
    remove: (name, tag) => ['dist-tag', 'rm', name, tag],
  },
  search: (text) => ['search', text, '--json'],
  audit: ['audit', '--json'],
  deprecate: (id, words) => ['deprecate', id, words],
  unpublish: (id) => ['unpublish', id, '--force'],
};

/** What each client can do with a registry, and how it says it. What one lacks, it has no verb for. */
export const VERBS: Record<RegistryClient, Verbs> = {
  'npm-10': npm,
  'npm-11': npm,
  // most of these it hands to the npm that it finds
  pnpm: { ...npm, publish: ['publish', '--no-git-checks'] },
  // its login keeps a user name and nothing else: the password is asked for by each publish. Its audit asks an address
  // that is built into it
  'yarn-1': {
    publish: ['publish', '--non-interactive', '--new-version'],
    view: (name) => ['info', name, '--json'],
    tags: {
      add: (id, tag) => ['tag', 'add', id, tag],
      list: (name) => ['tag', 'list', name],
      remove: (name, tag) => ['tag', 'remove', name, tag],
    },
  },
  berry: {
    login: {
      args: ['npm', 'login'],
      asks: (user, password) => [
        ['Username:', user],
        ['Password:', password],
      ],
    },
    logout: ['npm', 'logout'],
    whoami: ['npm', 'whoami'],
    publish: ['npm', 'publish'],
    view: (name) => ['npm', 'info', name, '--json'],
    tags: {
      add: (id, tag) => ['npm', 'tag', 'add', id, tag],
      list: (name) => ['npm', 'tag', 'list', name],
      remove: (name, tag) => ['npm', 'tag', 'remove', name, tag],
    },
    audit: ['npm', 'audit', '--json', '--recursive'],
  },
  bun: {
    whoami: ['pm', 'whoami'],
    publish: ['publish'],
    view: (name) => ['info', name, '--json'],
    audit: ['audit', '--json'],
  },
};
