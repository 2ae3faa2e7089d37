import { hostOf, isSecure, type Site, type Snippet } from './site.ts';

const CERTS = '/etc/containerd/certs.d';

export const docker: Snippet = {
  about: 'dockerd: Docker Hub by its own names, all other registries behind the name of this one',
  text: (site) => `# /etc/docker/daemon.json, then restart dockerd
${JSON.stringify(daemonSettings(site), null, 2)}

docker pull busybox                                  # Docker Hub's
docker pull ${hostOf(site.oci)}/nvcr.io/nvidia/tritonserver:25.08-py3
# 28 and newer with containerd's store: other registries by their own names, too, with the files of
# "larder snippets containerd" under /etc/docker/certs.d instead of ${CERTS}

# publishing into the site (larder token create <name> --write --service oci)
docker login --username <name> --password-stdin ${hostOf(site.oci)}
docker push ${hostOf(site.oci)}/team/app:1
`,
};

function daemonSettings(site: Site): object {
  const insecure = isSecure(site.oci) ? {} : { 'insecure-registries': [hostOf(site.oci)] };
  return { 'registry-mirrors': [site.oci], ...insecure };
}

export const containerd: Snippet = {
  about: 'containerd, Kubernetes by CRI, nerdctl, k3s, RKE2: every registry by its own name',
  text: (site) => `# On each node. "server" is the mirror as well: no registry is asked behind its back.
for host in ${site.registries.join(' ')}; do
mkdir -p ${CERTS}/$host
cat > ${CERTS}/$host/hosts.toml <<'END'
server = "${site.oci}"
[host."${site.oci}"]
capabilities = ["pull", "resolve"]
${isSecure(site.oci) ? '# ca = "/etc/mirror-ca/bundle.crt"   # for an authority of the site\'s own\n' : ''}END
done

# /etc/containerd/config.toml of containerd 2, then restart it
# [plugins."io.containerd.cri.v1.images".registry]
#   config_path = "${CERTS}"
# of containerd 1
# [plugins."io.containerd.grpc.v1.cri".registry]
#   config_path = "${CERTS}"

# k3s and RKE2: /etc/rancher/<k3s or rke2>/registries.yaml instead of all that
# mirrors: { "*": { endpoint: ["${site.oci}"] } }
`,
};

export const podman: Snippet = {
  about: 'podman, CRI-O, buildah, skopeo: a registries.conf with every registry by its own name',
  text: (site) => `# /etc/containers/registries.conf.d/larder.conf
unqualified-search-registries = ["docker.io"]
${[...site.registries.map((name) => tableOf(name, `${hostOf(site.oci)}/${name}`, site)), tableOf(hostOf(site.oci), hostOf(site.oci), site)].join('')}`,
};

function tableOf(prefix: string, location: string, site: Site): string {
  const insecure = isSecure(site.oci) ? '' : 'insecure = true\n';
  return `\n[[registry]]\nprefix = "${prefix}"\nlocation = "${location}"\n${insecure}`;
}
