import { hostOf, isSecure, type Site, type Snippet } from './site.ts';

/** NVIDIA's NIM containers: the three ways to their models that NVIDIA documents. */
export const nim: Snippet = {
  about: "NVIDIA's NIM containers: a cache that is ready, NGC's API, or the bucket of NIM_REPOSITORY_OVERRIDE",
  text: (
    site,
  ) => `# Whatever the way: every ngc://<org>/<team>/<model>:<version> that the profile names must be held. "list-model-profiles"
# names profiles, the container's etc/default/model_manifest.yaml says what they need, and a manifest brings it:
#   items: [{ ngc: "nim/meta/llama-3.1-8b-instruct:<version>" }]
# Leave HF_TOKEN out of all of them. Images come by the registry: larder snippets docker

# 1. A cache that is ready. Nothing is asked for: no key, no network; NVIDIA's own way into a closed site
larder nim export ./nim-cache --writable --model nim/meta/llama-3.1-8b-instruct:<version>
larder nim check ./nim-cache
docker run --gpus all --shm-size 16g -p 8000:8000 -v "$PWD/nim-cache:/opt/nim/.cache" -e NIM_MODEL_PROFILE=<profile> <image>
# Kubernetes: the same folder as a PersistentVolumeClaim; NIM Operator: storage.pvc of the NIMService, and no NIMCache

# 2. NGC's API. Hosts without a scheme; a path may follow them
NGC_API_ENDPOINT=${placeOf(site.ngc)}
NGC_AUTH_ENDPOINT=${placeOf(site.ngc)}
NGC_API_SCHEME=${isSecure(site.ngc) ? 'https' : 'http'}
NGC_API_KEY=nvapi-lrd_…   # larder token create nim --read --ngc; where reads are anonymous, nvapi-anything
${authority(site.ngc)}
# 3. S3: the bucket "nim" has every file under the key that a NIM asks for. And no NGC_API_KEY
NIM_REPOSITORY_OVERRIDE=s3://nim/
AWS_ENDPOINT_URL=${site.s3}
AWS_REGION=${site.s3Region}
AWS_ACCESS_KEY_ID=<key>        # larder token create nim --read --s3
AWS_SECRET_ACCESS_KEY=<secret>
${bucketInHost(site)}`,
};

/** As `NGC_API_ENDPOINT` takes it. */
function placeOf(url: string): string {
  return hostOf(url) + new URL(url).pathname.replace(/\/+$/, '');
}

function authority(url: string): string {
  if (!isSecure(url)) return '';
  return `SSL_CERT_FILE=/etc/mirror-ca/bundle.crt   # mounted: the site's authority and all others; or NGC_API_SCHEME=http
`;
}

function bucketInHost({ s3, s3Domains }: Site): string {
  const { hostname } = new URL(s3);
  if (isSecure(s3) && s3Domains.includes(hostname))
    return `# It asks at https://nim.${hostOf(s3)}: that name must lead here, too\n`;
  return `# It asks with the bucket in the host and over TLS. For that set s3.domains: [${hostname}], s3.tlsPort, and tls.certFile and
# tls.keyFile to a certificate for ${hostname} and *.${hostname}; both names must lead here
`;
}
