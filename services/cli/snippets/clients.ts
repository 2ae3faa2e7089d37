import { hostOf, hubLines, isSecure, type Snippet } from './site.ts';

const lines = (...rows: string[]) => `${rows.join('\n')}\n`;

export const transformers: Snippet = {
  about: 'transformers, sentence-transformers, datasets, diffusers, huggingface_hub, the hf command',
  text: (site) =>
    lines(
      ...hubLines(site),
      '',
      '# then, unchanged:',
      `python -c 'from transformers import AutoModel; AutoModel.from_pretrained("org/name")'`,
      'hf download org/name',
      '# publishing into the site (larder token create <name> --write --hf); uploads by Xet are not taken:',
      'HF_HUB_DISABLE_XET=1 hf upload lab/my-model ./folder',
    ),
};

export const vllm: Snippet = {
  about: 'vLLM, SGLang, Text Generation Inference, Text Embeddings Inference',
  text: (site) =>
    lines(
      ...hubLines(site),
      '',
      'vllm serve org/name',
      'docker run -e HF_ENDPOINT -e HF_TOKEN vllm/vllm-openai --model org/name --port 8080',
    ),
};

export const llamacpp: Snippet = {
  about: 'llama.cpp and ramalama',
  text: (site) =>
    lines(
      `HF_ENDPOINT=${site.hf} llama-server -hf org/name:Q4_K_M`,
      '# a token is only sent when it has the shape hf_…: larder token create <name> --read --hf',
    ),
};

export const ollama: Snippet = {
  about: 'Ollama: no variable, the host stands in the name',
  text: (site) =>
    lines(
      `ollama pull ${isSecure(site.hf) ? '' : '--insecure '}${hostOf(site.hf)}/org/name:Q4_K_M   # a GGUF model of the hub`,
      `ollama pull ${isSecure(site.oci) ? '' : '--insecure '}${hostOf(site.oci)}/library/llama3.2   # one of Ollama's own registry`,
      ...(isSecure(site.hf) ? ["# the site's authority must be in the system's store"] : []),
    ),
};

export const javascript: Snippet = {
  about: '@huggingface/hub and transformers.js',
  text: (site) =>
    lines(
      `import { downloadFile } from '@huggingface/hub';`,
      `await downloadFile({ repo: 'org/name', path: 'config.json', hubUrl: '${site.hf}' });`,
      '',
      `import { env } from '@huggingface/transformers';`,
      `env.remoteHost = '${site.hf}';   // sends no token to other hosts: anonymous reads, or ${site.hf}/token/<token>`,
    ),
};

export const rust: Snippet = {
  about: 'the Rust crate hf-hub (candle, TGI, mistral.rs)',
  text: (site) =>
    lines(
      '# up to 0.5: ApiBuilder::from_env() reads it',
      `HF_ENDPOINT=${site.hf}`,
      '# 1.x reads it as well; in code',
      `HFClient::builder().endpoint("${site.hf}")`,
    ),
};
