import type { Rooms } from '../rooms.ts';
import { PackageStorage } from './package-storage.ts';
import { ShownPackages } from './shown-packages.ts';
import { answer, type Callback, units } from './unit.ts';

/** Verdaccio takes secrets of this length. */
const SECRET_LENGTH = 32;

/**
 * Verdaccio's storage over the store of this house: https://verdaccio.org/docs/plugin-storage, in the callback form that
 * version 6 calls. Tokens have no place in it: what `npm login` and `npm token` hand out is answered in front.
 */
export class StoragePlugin {
  readonly #rooms: Rooms;
  readonly #shown: ShownPackages;
  readonly #secret: string;

  /** @param secret of this store, which nothing of it is written down */
  constructor(rooms: Rooms, secret: string) {
    this.#rooms = rooms;
    this.#shown = new ShownPackages(rooms);
    this.#secret = secret.slice(0, SECRET_LENGTH);
  }

  getPackageStorage(name: string): PackageStorage {
    return new PackageStorage(this.#rooms, this.#shown, name);
  }

  /** All names; none when Verdaccio starts, so that it makes no index of its own of them. */
  get(callback: Callback<string[]>): void {
    answer(units.getStore()?.kind === 'list' ? this.#shown.names() : Promise.resolve([]), callback);
  }

  find(text: string): Promise<string[]> {
    return this.#shown.find(text);
  }

  add(_name: string, callback: Callback): void {
    callback(null);
  }

  remove(_name: string, callback: Callback): void {
    callback(null);
  }

  search(_onPackage: unknown, onEnd: Callback): void {
    onEnd(null);
  }

  async getSecret(): Promise<string> {
    return this.#secret;
  }

  async setSecret(): Promise<string> {
    return this.#secret;
  }

  async saveToken(): Promise<never> {
    throw new Error('tokens are handed out in front of Verdaccio');
  }

  async deleteToken(): Promise<never> {
    throw new Error('tokens are handed out in front of Verdaccio');
  }

  async readTokens(): Promise<[]> {
    return [];
  }
}
