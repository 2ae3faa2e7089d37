import { globRegExp } from './repo.ts';

/** Files of so many bytes are large whatever they are called, as at the hub. */
export const LARGE_FROM = 10 << 20;

/** What is large by its name: formats of weights, archives, media. The `.gitattributes` of a new repo. */
const LARGE_NAMES =
  '7z arrow avro bin bz2 ckpt ftz gguf gz h5 joblib lz4 mlmodel model mp3 mp4 msgpack npy npz onnx ot parquet pb pickle pkl png jpg jpeg gif webp wav flac ogg pt pth rar safetensors tar tflite tgz wasm xz zip zst'.split(
    ' ',
  );

/** The `.gitattributes` that a new repo begins with. */
export const GIT_ATTRIBUTES = `${[...LARGE_NAMES.map((name) => `*.${name}`), '*tfevents*', 'saved_model/**/*']
  .map((pattern) => `${pattern} filter=lfs diff=lfs merge=lfs -text`)
  .join('\n')}\n`;

/** Whether a file belongs to the large ones. */
export type IsLarge = (file: { path: string; size: number; sample?: Buffer }) => boolean;

/**
 * The rule of a repo: its own `.gitattributes`, the size, and whether it looks like text
 * (https://git-scm.com/docs/gitattributes; patterns without a slash are for names at any depth).
 */
export function largeRule(attributes: string = GIT_ATTRIBUTES): IsLarge {
  const patterns = attributes
    .split('\n')
    .filter((line) => /\sfilter=lfs(\s|$)/.test(line))
    .map((line) => line.trim().split(/\s+/, 1)[0]!)
    .map((pattern) => ({ match: globRegExp(pattern.replace('**/', '*')), whole: pattern.includes('/') }));
  return ({ path, size, sample }) => {
    if (size >= LARGE_FROM) return true;
    const name = path.slice(path.lastIndexOf('/') + 1);
    if (patterns.some(({ match, whole }) => match.test(whole ? path : name))) return true;
    return sample?.subarray(0, 8000).includes(0) ?? false;
  };
}
