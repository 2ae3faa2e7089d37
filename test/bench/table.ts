/** A figure beside a peer's of the same run. */
export interface Row {
  what: string;
  ours: string;
  peer: string;
  ratio?: number;
  wanted: string;
  met: boolean;
}

/** Rows as a Markdown table. */
export function tableOf(rows: readonly Row[]): string {
  const head = ['what', 'Larder', 'peer', 'ratio', 'wanted', 'met'];
  const cells = rows.map((row) => [
    row.what,
    row.ours,
    row.peer,
    row.ratio?.toFixed(2) ?? '',
    row.wanted,
    row.met ? 'yes' : '**no**',
  ]);
  const lines = [head, head.map(() => '---'), ...cells].map((line) => `| ${line.join(' | ')} |`);
  return `${lines.join('\n')}\n`;
}
