import type { Packument, VersionManifest } from './packument.ts';
import { manifestOf, type PackumentText } from './packument-text.ts';
import { repairedTags } from './tags.ts';

/** What else is known of a package as it is offered. */
export interface Offer {
  /** Who has it: an origin's name, or `private`. */
  origin: string;
  /** Changes with what the packument is made of. */
  stamp: string;
  /** Versions that are held, where only they are listed. */
  held?: number;
}

/** A package as it is offered here: what the site does not want is left out, and tags point at what is offered. */
export class Package implements Offer {
  readonly name: string;
  readonly origin: string;
  readonly stamp: string;
  readonly held: number | undefined;
  /** `dist.tarball` as the origin has it. */
  readonly text: PackumentText;
  #packument: Packument | undefined;

  /** @param wants which versions are offered; all when unset */
  constructor(name: string, offer: Offer, all: PackumentText, wants?: (version: string, time?: string) => boolean) {
    this.name = name;
    this.origin = offer.origin;
    this.stamp = offer.stamp;
    this.held = offer.held;
    const text = wants ? filtered(all, wants) : all;
    const isDeprecated = (version: string) =>
      Boolean(manifestOf(text.versions.get(version)!, name, version).deprecated);
    this.text = { ...text, tags: repairedTags(text.tags, text.versions, isDeprecated) };
  }

  get tags(): Readonly<Record<string, string>> {
    return this.text.tags;
  }

  /** One version; undefined when it is not offered. */
  manifest(version: string): VersionManifest | undefined {
    const text = this.text.versions.get(version);
    return text && manifestOf(text, this.name, version);
  }

  /** The whole, made when it is first asked for: of large packages better ask for what you need. Not to be changed. */
  get packument(): Packument {
    this.#packument ??= {
      ...Object.fromEntries([...this.text.rest].map(([key, json]) => [key, JSON.parse(json.toString()) as unknown])),
      name: this.name,
      'dist-tags': this.text.tags,
      versions: Object.fromEntries(
        [...this.text.versions].map(([version, text]) => [version, manifestOf(text, this.name, version)]),
      ),
      time: this.text.times,
    };
    return this.#packument;
  }
}

/** The same without some versions, and without the times of what is not there. */
function filtered(all: PackumentText, wants: (version: string, time?: string) => boolean): PackumentText {
  const versions = new Map([...all.versions].filter(([version]) => wants(version, all.times[version])));
  if (versions.size === all.versions.size) return all;
  const times = Object.fromEntries(
    Object.entries(all.times).filter(([key]) => key === 'created' || key === 'modified' || versions.has(key)),
  );
  return { ...all, versions, times };
}
