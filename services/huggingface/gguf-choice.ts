import type { Tree, TreeFile } from './tree.ts';

/** `Q4_K_M`, `IQ3_XS`, `F16`, `BF16`, `MXFP4` at the end of a GGUF file's name, before the number of a split one. */
const QUANT =
  /[-.]((?:UD-)?(?:I?Q\d+(?:_[A-Z0-9]+)*|B?F16|F32|FP16|MXFP4(?:_MOE)?|TQ\d_\d))(?:-\d{5}-of-\d{5})?\.gguf$/i;
/** What the hub takes where nothing is asked for, best first. */
const USUAL = ['Q4_K_M', 'Q4_K_S', 'Q4_0', 'Q5_K_M', 'Q3_K_M', 'Q8_0', 'Q6_K', 'F16', 'BF16'];

/** GGUF files that are models: no projectors, and of a split one the first part. */
export function ggufFiles(tree: Tree): TreeFile[] {
  return [...tree.files.values()].filter(({ path, lfs }) => lfs !== undefined && /\.gguf$/i.test(path));
}

/** How it is quantised, as its name says. */
export function quantOf(path: string): string | undefined {
  return QUANT.exec(path)?.[1]?.toUpperCase();
}

/** The file that a tag means: a quantisation in any case, the name of a file, or `latest`. */
export function chooseGguf(tree: Tree, tag: string): TreeFile | undefined {
  const models = ggufFiles(tree)
    .filter(({ path }) => !isProjector(path) && isFirst(path))
    .sort((one, other) => (one.path < other.path ? -1 : 1));
  if (/^latest$/i.test(tag)) {
    const usual = USUAL.map((quant) => models.find(({ path }) => quantOf(path) === quant));
    return usual.find((file) => file !== undefined) ?? models[0];
  }
  const wanted = tag.toLowerCase();
  const byName = ggufFiles(tree).find(({ path }) => {
    const name = path.slice(path.lastIndexOf('/') + 1).toLowerCase();
    return name === wanted || name === `${wanted}.gguf`;
  });
  return byName ?? models.find(({ path }) => quantOf(path)?.toLowerCase() === wanted);
}

/** What a model with eyes needs beside it. */
export function chooseProjector(tree: Tree): TreeFile | undefined {
  const found = ggufFiles(tree).filter(({ path }) => isProjector(path));
  return found.find(({ path }) => /f16/i.test(path)) ?? found[0];
}

function isProjector(path: string): boolean {
  return /mmproj/i.test(path);
}

function isFirst(path: string): boolean {
  const part = /-(\d{5})-of-\d{5}\.gguf$/i.exec(path)?.[1];
  return part === undefined || part === '00001';
}
