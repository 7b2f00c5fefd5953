// The fenced blocks of a document, with what their info strings say about testing them.
//
//   ```sh test                        run, in document order, in the recipe's own world
//   ```toml test file=/etc/x.toml     written there first, then checked
//   ```sh no-test="needs root"        not run, and why
//   ```text shows                     what the tested block before it prints; "…" stands for anything
//
// README.md in this directory has the whole list.

const fence = /^(?<indent> *)```(?<info>.*)$/;

/// Splits `sh test file="/a b" port=80` into its language and a map of attributes.
function parseInfo(info) {
  const [language, ...rest] = info.trim().split(/\s+/);
  const attributes = {};
  for (const [, name, quoted, bare] of rest.join(' ').matchAll(/([\w-]+)(?:="([^"]*)"|=(\S+))?/g)) {
    attributes[name] = quoted ?? bare ?? true;
  }
  return { language, attributes };
}

/// The fenced blocks of `text`: {language, attributes, info, body, line}, `line` counting from 1.
export function blocksOf(text) {
  const blocks = [];
  let open;
  text.split('\n').forEach((line, index) => {
    const found = fence.exec(line)?.groups;
    if (!open) {
      if (found) open = { ...parseInfo(found.info), info: found.info.trim(), indent: found.indent, lines: [], line: index + 1 };
      return;
    }
    if (found && found.info.trim() === '') {
      const { indent, lines, ...block } = open;
      const strip = new RegExp(`^ {0,${indent.length}}`);
      blocks.push({ ...block, body: lines.map((inner) => `${inner.replace(strip, '')}\n`).join('') });
      open = undefined;
      return;
    }
    open.lines.push(line);
  });
  if (open) throw new Error(`the block that begins in line ${open.line} has no end`);
  return blocks;
}

/// What is wrong with a block's marks; undefined: nothing.
export function complaintAbout({ language, attributes }) {
  const kinds = ['test', 'no-test', 'shows'].filter((kind) => kind in attributes);
  if (!language) return 'has no language';
  if (kinds.length !== 1) return 'says neither `test` nor `no-test="why"` nor `shows`, or several of them';
  if (kinds[0] === 'no-test' && !(String(attributes['no-test']).length > 3)) return 'gives no reason after no-test=';
  return undefined;
}

/// The text without its fenced and inline code, with as many lines: where links and headings are.
export function proseOf(text) {
  let isInside = false;
  return text.split('\n').map((line) => {
    if (fence.test(line)) {
      isInside = !isInside;
      return '';
    }
    return isInside ? '' : line.replace(/`[^`]*`/g, (code) => '`'.repeat(code.length));
  }).join('\n');
}

/// Headings as GitHub makes anchors of them.
export function anchorsOf(text) {
  let isInside = false;
  const seen = new Map();
  return text.split('\n').flatMap((line) => {
    if (fence.test(line)) isInside = !isInside;
    const heading = isInside ? undefined : /^#{1,6} (.*)$/.exec(line)?.[1];
    if (heading === undefined) return [];
    const slug = heading.trim().toLowerCase().replace(/[^\p{L}\p{N}\p{M} _-]/gu, '').replace(/ /g, '-');
    const times = seen.get(slug) ?? 0;
    seen.set(slug, times + 1);
    return [times === 0 ? slug : `${slug}-${times}`];
  });
}

/// Does `output` have the lines of `expected`, in this order? "…" stands for anything within a line.
/// Returns the first line that is missing; undefined: they are all there.
export function missingLine(expected, output) {
  const lines = output.split('\n');
  let from = 0;
  for (const wanted of expected.split('\n').map((line) => line.trim()).filter((line) => line && line !== '…')) {
    const literal = wanted.split('…').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
    const pattern = new RegExp(`^${literal.join('.*')}$`);
    const at = lines.findIndex((line, index) => index >= from && pattern.test(line.trim()));
    if (at === -1) return wanted;
    from = at + 1;
  }
  return undefined;
}
