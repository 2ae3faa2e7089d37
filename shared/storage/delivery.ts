import type { Place } from './object-store.ts';

/** How clients come by large blobs when it is not we who send them. */
export interface Delivery {
  /** `redirect`: from the engine itself. `accel`: from the web server before us, which reads our directory. */
  way: 'redirect' | 'accel';
  /** What is no larger is sent by us: another request costs more than the bytes. */
  minBytes: number;
  /** redirect: `http://host:port` of the engine as clients reach it; the store's own when unset. */
  endpoint?: string;
  /** accel: where the web server has our directory. No slash at its end. */
  accelPrefix: string;
}

/** What of a blob is wanted, and as what. */
export interface Wanted {
  bytes: number;
  mediaType: string;
  /** `Content-Disposition` of the answer. */
  disposition?: string;
}

/** Where it is to be had: an address for the client, or a path for the web server. */
export type Elsewhere = { url: string } | { accel: string };

/** What a place means to whoever asks; undefined when the settings have no use for it. */
export function elsewhereOf(place: Place | undefined, delivery: Delivery): Elsewhere | undefined {
  if (!place) return undefined;
  if ('url' in place) return delivery.way === 'redirect' ? place : undefined;
  return delivery.way === 'accel' ? { accel: `${delivery.accelPrefix}/${place.file}` } : undefined;
}
