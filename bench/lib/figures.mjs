// Figures of several rounds, and the document that they go into.

import { readFile, writeFile } from 'node:fs/promises';

export function median(values) {
  const sorted = values.filter((value) => value !== undefined).sort((a, b) => a - b);
  if (sorted.length === 0) return undefined;
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export function shown(value, digits = 3) {
  if (value === undefined) return '–';
  return Math.abs(value) >= 100 ? value.toFixed(0) : Number(value.toPrecision(digits)).toString();
}
export const percent = (share, digits = 3) => (share === undefined ? '–' : `${shown(100 * share, digits)} %`);

/// The slope of the line through `points`, each [x, y], by least squares.
export function slope(points) {
  const mean = (pick) => points.reduce((all, point) => all + pick(point), 0) / points.length;
  const [x, y] = [mean((point) => point[0]), mean((point) => point[1])];
  const spread = points.reduce((all, point) => all + (point[0] - x) ** 2, 0);
  return spread === 0 ? 0 : points.reduce((all, point) => all + (point[0] - x) * (point[1] - y), 0) / spread;
}

/// A table in Markdown; numbers stand to the right from column number `firstNumber` on.
export function table(columns, rows, firstNumber = columns.length) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(columns), line(columns.map((_, i) => (i < firstNumber ? '---' : '---:'))), ...rows.map(line)].join('\n');
}

/// Puts `text` between <!-- name: begin --> and <!-- name: end --> of the document.
export async function replaceIn(documentPath, name, text) {
  const [begin, end] = ['begin', 'end'].map((which) => `<!-- ${name}: ${which} -->`);
  const document = await readFile(documentPath, 'utf8');
  const [before, rest] = document.split(begin);
  const after = rest?.split(end)[1];
  if (after === undefined) throw new Error(`${documentPath} has no ${begin} … ${end}`);
  await writeFile(documentPath, `${before}${begin}\n\n${text}\n\n${end}${after}`);
}
