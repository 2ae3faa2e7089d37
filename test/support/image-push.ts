import type { BuiltImage } from './images.ts';

/** What a registry has said yes to: this must be there whatever happens after. */
export interface Acknowledged {
  blobs: string[];
  manifests: { reference: string; digest: string }[];
}

export interface Pushing {
  /** Where the registry is; no trailing slash. */
  url: string;
  repository: string;
  headers: Record<string, string>;
  /** Bytes of one PATCH. */
  pieceBytes?: number;
  /** Written to while the push goes on. */
  acknowledged?: Acknowledged;
}

/** Pushes an image as clients do: POST, PATCHes, PUT for each blob, then the manifest. Throws with the status of a refusal. */
export async function pushImage(pushing: Pushing, image: BuiltImage, tag: string): Promise<void> {
  const { url, repository, headers, acknowledged } = pushing;
  for (const [digest, bytes] of image.blobs) {
    await pushBlob(pushing, digest, bytes);
    acknowledged?.blobs.push(digest);
  }
  const answer = await fetch(`${url}/v2/${repository}/manifests/${tag}`, {
    method: 'PUT',
    headers: { ...headers, 'content-type': image.mediaType },
    body: new Uint8Array(image.bytes),
  });
  await expectStatus(answer, 201);
  acknowledged?.manifests.push({ reference: tag, digest: image.digest });
}

export async function pushBlob(pushing: Pushing, digest: string, bytes: Buffer): Promise<void> {
  const { headers, pieceBytes = 1 << 20 } = pushing;
  let location = await startPush(pushing);
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    const piece = bytes.subarray(at, at + pieceBytes);
    const answer = await fetch(location, {
      method: 'PATCH',
      headers: { ...headers, 'content-range': `${at}-${at + piece.length - 1}` },
      body: new Uint8Array(piece),
    });
    await expectStatus(answer, 202);
    location = new URL(answer.headers.get('location')!, location).href;
  }
  const target = new URL(location);
  target.searchParams.set('digest', digest);
  await expectStatus(await fetch(target, { method: 'PUT', headers }), 201);
}

/** Begins an upload. @returns where its pieces go */
export async function startPush({ url, repository, headers }: Pushing): Promise<string> {
  const answer = await fetch(`${url}/v2/${repository}/blobs/uploads/`, { method: 'POST', headers });
  await expectStatus(answer, 202);
  return new URL(answer.headers.get('location')!, url).href;
}

async function expectStatus(answer: Response, status: number): Promise<void> {
  const text = await answer.text();
  if (answer.status !== status) throw new Error(`${answer.status} instead of ${status}: ${text}`);
}
