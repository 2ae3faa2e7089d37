import { pythonVenv } from './python-clients.ts';

/** What TAO's loader of experiments and its download of models import; "mongomock" is the database of its own test mode. */
const TAO = [
  ...['s3fs', 'pymongo', 'mongomock', 'numpy', 'orjson', 'ruamel.yaml', 'PyYAML', 'requests', 'filelock'],
  ...['kubernetes==32.0.1', 'pycryptodome', 'ngcsdk==3.151.0', 'setuptools<81', 'huggingface_hub', 'packaging'],
];

/** How each client is installed. Which must be there is said in test/clients/required.json: one that is missing fails. */
const PACKAGES: Record<string, string[]> = {
  pip: ['pip>=26'],
  'pip-old': ['pip==22.3.1'],
  uv: ['uv'],
  poetry: ['poetry>=2,<3'],
  pdm: ['pdm[locked]'],
  twine: ['twine'],
  'devpi-server': ['devpi-server'],
  proxpi: ['proxpi', 'gunicorn'],
  bagit: ['bagit', 'setuptools>=75,<81'],
  'hf-2': ['huggingface_hub>=2', 'hf_xet'],
  'hf-1': ['huggingface_hub==1.33.*', 'hf_xet'],
  'hf-0.36': ['huggingface_hub==0.36.*', 'hf_transfer', 'hf_xet'],
  'hf-0.28': ['huggingface_hub==0.28.1', 'hf_transfer'],
  'hf-libraries': ['transformers', 'sentence-transformers', 'datasets', 'torch'],
  // what the image of KServe's storage initializer holds, and what pip makes of its newest
  'kserve-0.20': ['kserve-storage==0.20.*', 'huggingface_hub==0.32.4', 'hf_transfer==0.1.9'],
  kserve: ['kserve-storage'],
  // what its module for storage imports, with boto3 as it was then
  'kserve-0.13': [
    ...['boto3==1.34.*', 'requests', 'pyyaml', 'azure-storage-blob<13', 'azure-storage-file-share<13'],
    'google-cloud-storage<3',
  ],
  // boto3 comes along, in the version that this CLI has
  awscli: ['awscli', 'boto3'],
  // as TAO's core reads and writes its workspaces
  s3fs: ['s3fs'],
  // has the SDK for C++ in it, which Triton is built with
  pyarrow: ['pyarrow'],
  // the newest, one of the year before, and the last that leaves http as it is
  ngcsdk: ['ngcsdk>=4.37'],
  'ngcsdk-4.9': ['ngcsdk==4.9.17'],
  'ngcsdk-3': ['ngcsdk==3.169.4'],
  // what MONAI's downloads of bundles need beside torch, which hf-libraries has
  monai: ['requests'],
  // what its command line imports
  aioli: [
    ...['boto3', 'pydantic>=2', 'urllib3<2.3', 'python-dateutil', 'requests', 'tabulate', 'termcolor', 'argcomplete'],
    ...['filelock', 'pyOpenSSL', 'ruamel.yaml', 'packaging'],
  ],
  // has protoc in it, which crates for gRPC are built with
  protoc: ['grpcio-tools'],
  'tao-core': TAO,
  // it asks for all that its API runs on
  'tao-core-6': [...TAO, 'toml', 'pynvml==12.0.0', 'leptonai==0.26.*', 'flask'],
};

/** Packages that come by themselves: most of what they ask for is for other parts of them, some gigabytes of it. */
const ALONE: Record<string, string[]> = {
  'kserve-0.13': ['kserve==0.13.1'],
  monai: ['monai==1.6.1'],
  // the newest that still has upload-nim
  aioli: ['aioli-sdk==1.12.0'],
  'tao-core': ['nvidia-tao-core==7.3.0'],
  'tao-core-6': ['nvidia-tao-core==6.26.3'],
};

export type ClientName = keyof typeof PACKAGES;

/** The folder with a client's programs; installs it the first time. */
export function client(name: string): Promise<string> {
  return pythonVenv(name, PACKAGES[name]!, ALONE[name]);
}

export const CLIENTS = Object.keys(PACKAGES);
