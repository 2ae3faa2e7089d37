import { isSecure, type Site, type Snippet } from './site.ts';

/** KServe: HF_ENDPOINT must reach the storage initializer; a predictor's environment does not. */
export const kserve: Snippet = {
  about: "KServe: hf:// through the storage initializer (a predictor's environment does nothing for it)",
  text: (
    site,
  ) => `# ClusterStorageContainer, KServe 0.14 and later. Take "hf://" out of the object "default", or choose this one by name.
apiVersion: serving.kserve.io/v1alpha1
kind: ClusterStorageContainer
metadata: { name: hf-from-larder }
spec:
  container:
    name: storage-initializer            # must be this name
    image: kserve/storage-initializer:v0.20.0
    env:
${env(site, '      ')}
    resources: { limits: { memory: 4Gi } }   # hf_transfer holds up to 100 chunks of 10 MB; or set it to "0" above
  supportedUriFormats:
    - prefix: hf://
  workloadType: initContainer
  supportsMultiModelDownload: true
# for a LocalModelCache: a second object, the same but workloadType: localModelDownloadJob
---
# InferenceService, 0.20 and later: the object by its name
spec: { predictor: { storageContainerName: hf-from-larder, model: { storageUri: "hf://org/name" } } }
---
# LLMInferenceService, 0.20 and later: no object of the cluster needed
spec:
  template:
    initContainers:
      - name: storage-initializer
        env:
${env(site, '          ')}
${authority(site)}`,
};

function env(site: Site, indent: string): string {
  const rows = [
    ['HF_ENDPOINT', site.hf],
    ['HF_HUB_DISABLE_XET', '1'],
    ['HF_HUB_ENABLE_HF_TRANSFER', '0'],
  ];
  return rows.map(([name, value]) => `${indent}- { name: ${name}, value: "${value}" }`).join('\n');
}

function authority(site: Site): string {
  if (!isSecure(site.hf)) return '';
  return `---
# The site's authority, 0.20 and later (before, it is ignored for hf://): a configmap in the namespace kserve with the key
# cabundle.crt, and in inferenceservice-config, storageInitializer: "caBundleConfigMapName": "<its name>"
kubectl -n kserve create configmap larder-ca --from-file=cabundle.crt=site-ca.pem
`;
}
