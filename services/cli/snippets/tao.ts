import { hostOf, isSecure, type Site, type Snippet } from './site.ts';

const REGISTRY = '/shared-storage/ptm/airgapped-models';

/** NVIDIA TAO's fine-tuning services: the three phases of its guide to sites without a network. */
export const tao: Snippet = {
  about: 'NVIDIA TAO FTMS without a network: its download, its Helm values, its compose file, its workspace',
  text: (
    site,
  ) => `# 1. Assets. TAO knows one address for NGC: let api.ngc.nvidia.com lead to Larder (DNS, or --add-host), at port 443
#    (ngc.tlsPort) with a certificate of the site's authority for that name. Then, unchanged, in all four modes:
REQUESTS_CA_BUNDLE=/etc/mirror-ca/bundle.crt AIRGAPPED_MODE=True PTM_API_KEY=nvapi-any PTM_MAX_WORKERS=1 \\
  python -m nvidia_tao_core.microservices.pretrained_models --org-teams nvidia/tao --shared-folder-path ./airgapped-models
#    (any key: nobody is asked for one, unless anonymous reads are off; then nvapi-<token of larder token create --read>)
#    What was downloaded elsewhere, the guide's archive with its .sha256 beside it, or the folder:
larder tao import airgapped-assets.tar.gz
#    Images, with those that save-docker-images.sh leaves out:
larder bundle create --preset tao-ftms-6.25 ./tao-images     # where there is a network
larder bundle import ./tao-images                            # behind the gap; or: larder oci import saved-docker-images

# 2. In place of "aws s3 mb" and "aws s3 cp": no byte is copied, and it may be repeated at any time
larder tao publish --registry ${REGISTRY} --bucket tao-storage

# values.yaml of the chart: the same path as above, and images by Larder's name
airgapped:
  enabled: true
  environment:
    AIRGAPPED_MODE: "true"
    LOCAL_MODEL_REGISTRY: "${REGISTRY}"
# containers of a cluster find nvcr.io and docker.io here: larder snippets containerd

# compose: in config.env the same path, and every IMAGE_… by Larder's name; its SeaweedFS need not run
LOCAL_MODEL_REGISTRY=${REGISTRY}
IMAGE_TAO_API=${hostOf(site.oci)}/nvcr.io/nvidia/tao/tao-toolkit:6.25.11-pyt
#   and beside docker-compose.yml a larder.yml: docker compose --env-file config.env -f docker-compose.yml -f larder.yml up -d
services:
${overrides(site)}

# 3. The workspace: endpoint_url as TAO's containers reach it, never localhost; a key that may write
#    (larder token create tao --write --s3, or s3.keys: [{ accessKeyId: seaweedfs, secretAccessKey: seaweedfs123 }])
{"name": "Larder", "cloud_type": "seaweedfs", "cloud_specific_details": {"cloud_region": "us-east-1",
 "cloud_bucket_name": "tao-storage", "access_key": "seaweedfs", "secret_key": "seaweedfs123", "endpoint_url": "${site.s3}"}}
#    then POST experiments:load_airgapped {"workspace_id": …}. Where it finds nothing:
larder doctor tao --registry ${REGISTRY} --s3 ${site.s3}
`,
};

/** Images that TAO's scripts do not save, by Larder's name; and those that are pulled always: without a network that ends the start. */
function overrides({ oci }: Site): string {
  const images = [
    ['mongodb', 'docker.io/library/mongo:latest'],
    ['nginx', 'docker.io/library/nginx:alpine'],
  ] as const;
  const always = ['tao_api_app', 'tao_api_workflow', 'tao_api_pretrained_models'];
  return [
    ...images.map(([service, image]) => `  ${service}: { image: "${hostOf(oci)}/${image}" }`),
    ...always.map((service) => `  ${service}: { pull_policy: missing }`),
    ...(isSecure(oci) ? [] : ['# dockerd has to be told that this is plain HTTP: larder snippets docker']),
  ].join('\n');
}
