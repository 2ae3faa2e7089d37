import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { type Browser, chromium, type Page } from 'playwright-core';

/** Debian's, of the package "chromium"; .ci/run installs it. */
const CHROMIUM = '/usr/bin/chromium';

/** A page in a real browser, and what went on behind it. */
export interface BrowserPage {
  page: Page;
  /** Addresses that were asked for. */
  asked: string[];
  /** Errors of its scripts, in words. */
  errors: string[];
  close(): Promise<void>;
}

/** Opens a browser with one empty page. */
export async function openBrowser(): Promise<BrowserPage> {
  await access(CHROMIUM, constants.X_OK).catch(() => {
    throw new Error(`there is no ${CHROMIUM}: apt-get install -y --no-install-recommends chromium`);
  });
  // root may not use the sandbox, and CI is root
  const browser: Browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  page.setDefaultTimeout(30_000);
  const [asked, errors]: [string[], string[]] = [[], []];
  page.on('request', (request) => asked.push(request.url()));
  page.on('pageerror', (error) => errors.push(error.message));
  return { page, asked, errors, close: () => browser.close() };
}
