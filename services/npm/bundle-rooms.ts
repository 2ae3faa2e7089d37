import type { Packument, VersionRecord } from './packument.ts';
import type { Asked } from './refs.ts';

/** What bundles need of the service: what is known of packages, and where origins are. */
export interface BundleRooms {
  packages: {
    find(name: string): Promise<{ packument: Packument }>;
    record(name: string, version: string): Promise<{ origin: string; record: VersionRecord }>;
  };
  origins: { named(name: string): Promise<Asked | undefined> };
}
