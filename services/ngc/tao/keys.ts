/**
 * Names of what TAO's download has beside the versions of models, in the catalog of NGC:
 *
 *   tao/metadata                     its ptm_metadatas.json, those of all imports as one
 *   tao/hub/<owner_repo>/<path>      files of a model that it had from the model hub
 *   tao/datasets/<path>              files of datasets, for the bucket
 */
export const METADATA = 'tao/metadata';
export const hubPrefix = (folder: string) => `tao/hub/${folder}/`;
export const DATASETS = 'tao/datasets/';

/** What TAO calls its list of models. */
export const METADATA_FILE = 'ptm_metadatas.json';
/** Largest one that is read, bytes: specs of every model may stand in it. */
export const MOST_METADATA = 64 << 20;
