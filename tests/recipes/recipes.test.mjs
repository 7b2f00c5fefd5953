// The recipes in docs/recipes and README.md do what they say: every block is tested or says why
// not, in both languages alike, and every link leads somewhere.

import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { anchorsOf, blocksOf, complaintAbout, missingLine, proseOf } from './blocks.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const repository = path.resolve(here, '../..');
const recipes = path.join(repository, 'docs/recipes');
const read = (file) => readFileSync(file, 'utf8');
const named = (file) => path.relative(repository, file);

const all = readdirSync(recipes).filter((name) => name.endsWith('.md')).map((name) => path.join(recipes, name));
const english = [...all.filter((file) => !file.endsWith('.ko.md')), path.join(repository, 'README.md')];
const koreanOf = (file) => file.replace(/\.md$/, '.ko.md');
const documents = [...english, ...english.map(koreanOf)];

for (const file of english) {
  test(`${named(file)}: each block is tested or says why not`, () => {
    for (const block of blocksOf(read(file))) {
      const complaint = complaintAbout(block);
      assert.equal(complaint, undefined, `${named(file)}:${block.line}: the block ${complaint}`);
    }
  });

  test(`${named(koreanOf(file))} has the same blocks in the same order`, () => {
    const [ours, theirs] = [file, koreanOf(file)].map((each) => blocksOf(read(each)).map(({ info, body }) => ({ info, body })));
    assert.deepEqual(theirs, ours);
  });

  test(`${named(koreanOf(file))} has the same headings, and each names the other language`, () => {
    const levels = (each) => read(each).split('\n').filter((line) => /^#+ /.test(line)).map((line) => line.indexOf(' '));
    assert.deepEqual(levels(koreanOf(file)).length, levels(file).length);
    const top = (each) => read(each).split('\n').slice(0, 6).join('\n');
    assert.ok(top(file).includes(`](${path.basename(koreanOf(file))})`), 'English names Korean');
    assert.ok(top(koreanOf(file)).includes(`](${path.basename(file)})`), 'Korean names English');
  });
}

test('both indexes name every recipe', () => {
  for (const file of all.filter((each) => !path.basename(each).startsWith('README'))) {
    const index = path.join(recipes, file.endsWith('.ko.md') ? 'README.ko.md' : 'README.md');
    assert.ok(read(index).includes(`](${path.basename(file)})`), `${named(index)} does not name ${path.basename(file)}`);
  }
});

test('every link between documents leads to a file, and to a heading of it', () => {
  for (const file of documents) {
    for (const [, target] of proseOf(read(file)).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      const [name, anchor] = target.split('#');
      const linked = name ? path.resolve(path.dirname(file), decodeURIComponent(name)) : file;
      assert.ok(existsSync(linked), `${named(file)}: ${target} leads to no file`);
      if (anchor === undefined || statSync(linked).isDirectory()) continue;
      assert.ok(anchorsOf(read(linked)).includes(decodeURIComponent(anchor)), `${named(file)}: ${target} leads to no heading`);
    }
  }
});

test('what is expected is looked for in order, and the dots stand for anything', () => {
  assert.equal(missingLine('a … c\nd', 'x\na b c\ny\nd\n'), undefined);
  assert.equal(missingLine('d\na … c', 'a b c\nd\n'), 'a … c');
  assert.equal(missingLine('a (b)', 'a b'), 'a (b)');
  assert.equal(complaintAbout({ language: 'sh', attributes: {} })?.includes('test'), true);
});

const world = path.join(here, 'world.sh');
const hasTests = (file) => blocksOf(read(file)).some(({ attributes }) => 'test' in attributes);
const skip = spawnSync(world, ['true']).status === 0 ? false : 'no namespaces here: neither root nor user namespaces';

// Each has a world of its own, so several can run at a time: they mostly wait.
describe('the blocks', { concurrency: 3, skip }, () => {
  for (const file of english.filter(hasTests)) {
    test(`${named(file)}: the blocks do what they say`, { timeout: 300_000 }, async (context) => {
      const { error, output } = await new Promise((resolve) => {
        const args = [process.execPath, path.join(here, 'run_recipe.mjs'), file];
        execFile(world, args, (failure, stdout, stderr) => resolve({ error: failure, output: stdout + stderr }));
      });
      for (const line of output.split('\n').filter((each) => each.startsWith('  not '))) context.diagnostic(line.trim());
      assert.equal(error, null, output);
    });
  }
});
