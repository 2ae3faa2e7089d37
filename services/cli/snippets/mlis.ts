import { npmEnvironment } from './npm.ts';
import { authorityLines, hostOf, isSecure, type Site, type Snippet } from './site.ts';

/** HPE Machine Learning Inference Software: a registry, or the environment of a packaged model. */
export const mlis: Snippet = {
  about: 'HPE MLIS: registries of type huggingface and ngc, and the environment of a packaged model',
  text: (site) => `# A registry (type "openllm" on MLIS before the huggingface type existed)
aioli registry create larder-hf --type huggingface \\
  --endpoint-url ${site.hf} \\
  --secret-key "$LARDER_TOKEN"      # the CLI insists on one: larder token create mlis --read --hf
aioli registry models larder-hf --search llama

# The same by the REST API. The product page writes endpointURL; in JSON it is endpointUrl, and only that.
curl -X POST "$AIOLI_CONTROLLER/api/v1/registries" -H "Authorization: Bearer $TOKEN" \\
  -H 'Content-Type: application/json' \\
  -d '{"name":"larder-hf","type":"huggingface","endpointUrl":"${site.hf}","secretKey":"<token>","insecureHttps":false}'

# NIMs: a registry of type ngc. Its bucket is NGC's org and its access key the team; the key is one of Larder's
aioli registry create larder-ngc --type ngc --bucket nim --access-key meta \\
  --endpoint-url ${site.ngc} \\
  --secret-key "$LARDER_NGC_KEY"   # larder token create mlis-ngc --read --ngc
curl -X POST "$AIOLI_CONTROLLER/api/v1/registries" -H "Authorization: Bearer $TOKEN" \\
  -H 'Content-Type: application/json' \\
  -d '{"name":"larder-ngc","type":"ngc","endpointUrl":"${site.ngc}","bucket":"nim","accessKey":"meta","secretKey":"nvapi-lrd_…"}'
# The container asks for its model itself: give the packaged model one of the three environments of "larder snippets nim".
# "aioli registry upload-nim" is not needed for the third: the bucket "nim" has these keys, at its root, where that cannot write.

# Environment of a packaged model: needed whenever its registry is "None" (image vllm/vllm-openai and the like),
# harmless otherwise
${environment(site).join('\n')}
`,
};

function environment(site: Site): string[] {
  const pip = [`PIP_INDEX_URL=${site.pypi}/simple/`, `UV_DEFAULT_INDEX=${site.pypi}/simple/`];
  const pipTrust = isSecure(site.pypi)
    ? ['PIP_CERT=/etc/mirror-ca/bundle.crt']
    : [`PIP_TRUSTED_HOST=${new URL(site.pypi).hostname}`, `UV_INSECURE_HOST=${hostOf(site.pypi)}`];
  return [
    `HF_ENDPOINT=${site.hf}`,
    'HF_TOKEN=<token>',
    'HF_HUB_DISABLE_XET=1',
    ...authorityLines(site),
    ...pip,
    ...pipTrust,
    ...npmEnvironment(site),
    'AIOLI_PROGRESS_DEADLINE=10000s',
  ];
}
