import { hostOf, isSecure, type Site, type Snippet } from './site.ts';

/** What JavaScript's package managers read, as variables for containers and as the files of a project. */
export const npm: Snippet = {
  about: 'npm, pnpm, yarn, bun and corepack: variables for containers, .npmrc, .yarnrc.yml, bunfig.toml',
  text: (site) => `# The environment of a container, an MLIS packaged model, a build
${npmEnvironment(site).join('\n')}

# .npmrc (npm, pnpm, yarn 1, bun)
registry=${site.npm}/
# the addresses in a package-lock.json that was written elsewhere are passed over
replace-registry-host=always
# to publish, or where anonymous reads are off (larder token create <name> --write --service npm; or "npm login" with it)
//${withoutScheme(site.npm)}/:_authToken=\${NPM_TOKEN}

# .yarnrc.yml (yarn 2 and newer)
npmRegistryServer: "${site.npm}"
npmAuthToken: "\${NPM_TOKEN:-}"      # where anonymous reads are off, also: npmAlwaysAuth: true
${trust(site, '/etc/mirror-ca/bundle.crt')}
enableTelemetry: false

# bunfig.toml
[install]
registry = { url = "${site.npm}/", token = "$NPM_TOKEN" }

# yarn 1 goes to the addresses that stand in yarn.lock: write the site's own in their place, once
sed -i -E 's#(resolved ")https?://[^/]+/#\\1${site.npm}/#' yarn.lock
`,
};

/** Variables that lead npm, pnpm, yarn, bun and corepack to the site. */
export function npmEnvironment(site: Site): string[] {
  return [
    `npm_config_registry=${site.npm}/`,
    'npm_config_replace_registry_host=always',
    `YARN_NPM_REGISTRY_SERVER=${site.npm}`,
    `BUN_CONFIG_REGISTRY=${site.npm}/`,
    `COREPACK_NPM_REGISTRY=${site.npm}`,
    ...(isSecure(site.npm)
      ? ['NODE_EXTRA_CA_CERTS=/etc/mirror-ca/bundle.crt']
      : [`YARN_UNSAFE_HTTP_WHITELIST=${new URL(site.npm).hostname}`]),
  ];
}

function trust({ npm }: Site, file: string): string {
  return isSecure(npm) ? `httpsCaFilePath: ${file}` : `unsafeHttpWhitelist: ["${new URL(npm).hostname}"]`;
}

/** As `.npmrc` names a registry: host, port, path. */
function withoutScheme(url: string): string {
  return hostOf(url) + new URL(url).pathname.replace(/\/$/, '');
}
