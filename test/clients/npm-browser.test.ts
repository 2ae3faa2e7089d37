import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { temporaryFolder } from '../support/bundles.ts';
import { NpmOrigin } from '../support/npm-origin.ts';
import { type BrowserPage, openBrowser } from '../support/npm-registry-browser.ts';
import { homeOf } from '../support/npm-registry-site.ts';
import { startOriginServer } from '../support/origin-server.ts';
import { TEST_CACHE } from '../support/python-clients.ts';
import { larder, type SpawnedLarder, spawnLarder } from '../support/spawn-larder.ts';

const README =
  '# Chairs\n\nThey have **four** legs. <script>window.broken = 1</script><img src="x" onerror="window.broken = 2">\n';

let folder: { path: string; remove(): Promise<void> };
let server: SpawnedLarder;
let url: string;
let token: string;
let browser: BrowserPage;

beforeAll(async () => {
  folder = await temporaryFolder();
  const store = join(folder.path, 'store');
  token = (await larder(['token', 'create', 'ci', '--write', '--store', store])).stdout.trim();
  await holdOutside(store);
  // behind the gap: the browser must get all of it from here
  server = await spawnLarder({ store, env: { AIRGAPPED_MODE: 'true' } });
  url = server.urls.npm!;
  const home = await homeOf('npm-11', { url, token });
  const manifest = {
    name: '@site/chairs',
    version: '1.2.0',
    description: 'Chairs of this site',
    keywords: ['furniture'],
  };
  await writeFile(join(home.path, 'project/package.json'), JSON.stringify(manifest));
  await writeFile(join(home.path, 'project/README.md'), README);
  await home.ok(['publish']);
  await home.remove();
  browser = await openBrowser();
});

afterAll(async () => {
  await browser?.close();
  await server?.stop();
  await folder?.remove();
});

/** A package of the world outside, held since somebody installed it. */
async function holdOutside(store: string): Promise<void> {
  const origin = new NpmOrigin(await startOriginServer());
  const manifest = { description: 'Tables of another maker' };
  origin.publish({ name: 'tables', version: '3.1.0', manifest, files: { 'README.md': '# Tables\n\nThey stand.\n' } });
  const env = { LARDER_NPM_ORIGINS: JSON.stringify([{ name: 'npm', url: origin.url }]) };
  const connected = await spawnLarder({ store, env });
  await (await fetch(`${connected.urls.npm}/tables/-/tables-3.1.0.tgz`)).arrayBuffer();
  await connected.stop();
  await origin.server.close();
}

/** A picture for who wants to look at what a person sees. */
async function picture(name: string): Promise<void> {
  await mkdir(join(TEST_CACHE, 'pictures'), { recursive: true });
  await browser.page.screenshot({ path: join(TEST_CACHE, 'pictures', `npm-${name}.png`) });
}

test('the front page lists what was published here and what is held', async () => {
  const { page } = browser;
  await page.goto(`${url}/`);
  await page.getByText('@site/chairs').waitFor();
  await page.getByText('Chairs of this site').waitFor();
  await page.getByText('Tables of another maker').waitFor();
  await picture('front');
});

test('the page of a package shows its readme, and runs nothing of it', async () => {
  const { page } = browser;
  await page.getByText('@site/chairs').first().click();
  await page.getByRole('heading', { name: 'Chairs', exact: true }).waitFor();
  await page.getByText('They have four legs.').waitFor();
  await page.getByText('npm install @site/chairs@1.2.0', { exact: true }).waitFor();
  expect(await page.evaluate('window.broken')).toBeUndefined();
  await picture('package');
});

test('the page of a package that is held shows the readme in its tarball', async () => {
  await browser.page.goto(`${url}/-/web/detail/tables`);
  await browser.page.getByText('They stand.').waitFor();
});

test('a search finds a package as one types', async () => {
  const { page } = browser;
  await page.goto(`${url}/`);
  await page.getByPlaceholder('Search Packages').pressSequentially('chair');
  await page.getByRole('option').filter({ hasText: '@site/chairs' }).waitFor();
  await picture('search');
});

test('a token of Larder logs in, and anything else does not', async () => {
  const { page } = browser;
  const login = async (password: string) => {
    await page.locator('#login--dialog-username').fill('ada');
    await page.locator('#login--dialog-password').fill(password);
    await page.locator('#login--dialog-button-submit').click();
  };
  await page.goto(`${url}/`);
  await page.getByTestId('header--button-login').click();
  await login('lrd_00000000_wrong');
  await page.getByText('Invalid username or password').waitFor();
  await picture('refused');
  await login(token);
  await page.getByTestId('header--button-account').or(page.locator('#header--button-account')).waitFor();
  await picture('account');
});

test('all of it came from here, and none of its scripts failed', () => {
  expect(browser.asked.length).toBeGreaterThan(5);
  expect(browser.asked.filter((address) => !address.startsWith(`${url}/`) && !address.startsWith('data:'))).toEqual([]);
  expect(browser.errors).toEqual([]);
});
