import { bytesOf } from './hub-sites.ts';
import type { NgcWish } from './ngc-origin.ts';
import { zip } from './wheels.ts';

/** As TAO's models have it: Python literals in text, which are to arrive as they are. */
export const METRICS = [
  {
    name: 'TAO',
    attributes: [
      { key: 'endpoints', value: "['ocrnet']" },
      { key: 'trainable', value: 'True' },
      { key: 'sha256_digest', value: "{'weights/model.pth': 'ab'}" },
    ],
  },
];

/** Names that addresses stumble over (no `%`: NVIDIA's SDK fails on it, at NGC too); an empty file, one over 10 MB. */
export const FILES: Record<string, Buffer> = {
  'README.md': Buffer.from('# ocrnet\n'),
  'a+b c.txt': Buffer.from('a plus and a space\n'),
  'weights/model.pth': bytesOf((12 << 20) + 77, 'weights'),
  'weights/labels ü.txt': Buffer.from('labels\n'),
  'experiment.yaml': Buffer.from('train:\n  epochs: 7\n'),
  empty: Buffer.alloc(0),
};

/** More than one page of everything. */
const MANY = Object.fromEntries(
  Array.from({ length: 130 }, (_, index) => [
    `notebooks/${index % 7}/step-${index}.ipynb`,
    Buffer.from(`{"${index}":1}`),
  ]),
);

/** What NGC has in tests of clients. */
export const WISHES = [
  { id: 'nvidia/tao/ocrnet', version: 'trainable_v1.0', files: FILES, versionFields: { customMetrics: METRICS } },
  { id: 'nvidia/tao/ocrnet', version: '0.11.1+ba20956e-l40sx1', files: FILES },
  { id: 'nvidia/tao/ocrnet', version: 'trainable_v2.0', files: { 'model.pth': 'newer' } },
  { id: 'nvidia/tao/dino', version: '1.0', files: { 'model.pth': 'dino' } },
  {
    id: 'nvidia/genmol',
    version: '1.0.0',
    files: { 'checksums.blake3': 'abc  model.bin\n', 'model.bin': bytesOf(5000, 'genmol') },
  },
  { id: 'nvidia/tao/notebooks', kind: 'resources', version: '5.5', files: MANY },
  { id: 'acme/own', version: '1', files: { 'own.bin': 'own' }, access: 'private' },
  { id: 'nvidia/licensed', version: '1', files: { 'model.bin': 'licensed' }, refuses: 412 },
  { id: 'nvidia/banned', version: '1', files: { 'model.bin': 'banned' }, refuses: 451, refusesAll: true },
] as const satisfies NgcWish[];

export const METADATA = Buffer.from(JSON.stringify({ version: '0.4.8', monai_version: '1.3.0' }));
/** As MONAI's model zoo has them. */
const BUNDLE: Record<string, Buffer> = {
  'configs/metadata.json': METADATA,
  'configs/inference.json': Buffer.from('{}'),
  'models/model.pt': bytesOf((2 << 20) + 5, 'bundle'),
  'docs/README.md': Buffer.from('# spleen\n'),
  LICENSE: Buffer.from('Apache\n'),
};

/** What tools ask for beside it. */
export const TOOL_WISHES = [
  { id: 'nvidia/tao/odd', version: '1', files: { 'odd ü%41 #1.txt': 'odd', 'plain.bin': bytesOf(300_000, 'plain') } },
  { id: 'nvidia/monaitoolkit/monai_spleen', version: '0.4.7', files: { ...BUNDLE, LICENSE: 'older' } },
  { id: 'nvidia/monaitoolkit/monai_spleen', version: '0.4.8', files: BUNDLE },
  {
    id: 'nvidia/monaihosting/mednist_gan',
    version: '0.2.0',
    files: { 'mednist_gan_v0.2.0.zip': zip({ 'mednist_gan/configs/metadata.json': METADATA }) },
  },
  { id: 'acme/lab/monai_liver', version: '1.0.0', files: BUNDLE, access: 'private' },
  { id: 'nvidia/ngc-apps/ngc_cli', kind: 'resources', version: '4.37.0', files: { 'ngccli_linux.zip': 'the CLI' } },
] as const satisfies NgcWish[];

/** What the bundle of these tests has: not all there is. */
export const ITEMS = [
  '{ ngc: "nvidia/tao/ocrnet:trainable_v1.0" }',
  '{ ngc: "nvidia/tao/ocrnet:0.11.1+ba20956e-l40sx1" }',
  '{ ngc: "nvidia/genmol:1.0.0" }',
  '{ ngc: "acme/own:1" }',
  '{ ngc-resource: "nvidia/tao/notebooks:5.5" }',
];

export const TOOL_ITEMS = [
  '{ ngc: "nvidia/tao/odd:1" }',
  '{ ngc: "nvidia/monaitoolkit/monai_spleen:0.4.8" }',
  '{ ngc: "nvidia/monaihosting/mednist_gan:0.2.0" }',
  '{ ngc: "acme/lab/monai_liver:1.0.0" }',
  '{ ngc-resource: "nvidia/ngc-apps/ngc_cli:4.37.0" }',
];
