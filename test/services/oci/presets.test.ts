import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { joinManifests, listPresets, readPreset } from '../../../services/cli/presets.ts';
import { configSchema } from '../../../services/oci/config.ts';
import { parseImageName } from '../../../services/oci/image-name.ts';
import { itemSchemas } from '../../../services/oci/items.ts';
import { parseManifest } from '../../../shared/bundle/manifest.ts';
import { imagesIn } from '../../support/rendered-images.ts';

const FIXTURES = fileURLToPath(new URL('../../fixtures/presets/', import.meta.url));
const fixtures = await readdir(FIXTURES);
const presets = await listPresets();
const types = new Map(Object.entries(itemSchemas));

/** Full names of what a manifest takes along. */
function takenBy(text: string): Set<string> {
  const taken = parseManifest(text, types, 'preset').items.map(({ value }) => {
    const { repository, tag, digest } = parseImageName((value as { oci: string }).oci);
    return digest ? `${repository}@${digest}` : `${repository}:${tag}`;
  });
  return new Set(taken);
}

const lackingIn = (text: string, rendered: string) => {
  const taken = takenBy(text);
  return [...imagesIn(rendered)].filter((image) => !taken.has(image));
};

describe('a preset', () => {
  test.each(presets.map((preset) => [preset.name, preset] as const))(
    '%s is a manifest',
    (name, { text, description }) => {
      const manifest = parseManifest(text, types, name);
      expect(manifest.name).toBe(name.replaceAll('.', '-'));
      expect(description).toMatch(/\w+ v?\d/);
      const names = (parse(text) as { items: { oci: string }[] }).items.map(({ oci }) => oci);
      expect(new Set(names).size).toBe(names.length);
      // full names, each with what it means: what stands there must not depend on who reads it
      for (const one of names) expect(one).toMatch(/^[a-z0-9.-]+\.[a-z]+\/[^:@]+(:[\w.-]+|@sha256:[0-9a-f]{64})$/);
    },
  );

  test.each(fixtures)('has every image that its software runs: %s', async (file) => {
    const rendered = await readFile(`${FIXTURES}${file}`, 'utf8');
    const { text } = await readPreset(file.replace(/\.yaml$/, ''));
    expect(imagesIn(rendered).size).toBeGreaterThan(3);
    expect(lackingIn(text, rendered)).toEqual([]);
    // and would be found out if it had not
    for (const image of imagesIn(rendered)) {
      const shorter = text.split('\n').filter((line) => !line.trim().endsWith(`oci: ${image}`));
      expect(lackingIn(shorter.join('\n'), rendered)).toEqual([image]);
    }
  });

  test.each(['kserve', 'knative', 'istio', 'cert-manager', 'tao-ftms'])(
    'of %s is held to what its software runs',
    (name) => {
      expect(fixtures.some((file) => file.startsWith(name))).toBe(true);
    },
  );

  test('takes images from registries that are mirrored unless settings say otherwise', () => {
    const known = new Set(configSchema.parse({}).registries.map(({ name }) => name));
    const unknown = presets.flatMap(({ name, text }) =>
      [...takenBy(text)].filter((image) => !known.has(image.split('/')[0]!)).map(() => name),
    );
    // it says so itself
    expect([...new Set(unknown)]).toEqual(['istio-1.30']);
    expect(presets.find(({ name }) => name === 'istio-1.30')!.text).toContain('oci.registries');
  });

  test('that nobody knows is answered with those that there are', async () => {
    await expect(readPreset('kserve')).rejects.toThrow(/there is no preset "kserve"; there are .*kserve-0\.20/);
  });
});

describe('several manifests', () => {
  test('become one, what two of them name once', async () => {
    const [kserve, vllm] = [await readPreset('kserve-0.20'), await readPreset('vllm-0.20')];
    const { name, items, defaults } = parseManifest(joinManifests([kserve, vllm]), types, 'both');
    expect(name).toBe('kserve-0-20-vllm-0-20');
    expect(items).toHaveLength(takenBy(kserve.text).size);
    expect(defaults).toEqual({ oci: ['linux/amd64'] });
  });

  test('that differ in what holds for all are not mixed', async () => {
    const one = await readPreset('vllm-0.20');
    const other = { name: 'mine', text: one.text.replace('linux/amd64', 'linux/arm64') };
    expect(() => joinManifests([one, other])).toThrow(/vllm-0.20 and mine differ in their defaults/);
  });
});
