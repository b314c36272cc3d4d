// What must hold of the built pages, whatever they look like.

import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const here = join(dirname(fileURLToPath(import.meta.url)), '..');
const dist = join(here, 'dist');
/** Those that people copy from. */
const demos = ['chat', 'market', 'arena'];

function filesOf(extension, folder = dist) {
  return readdirSync(folder, { recursive: true })
    .map((name) => join(folder, String(name)))
    .filter((path) => path.endsWith(extension) && statSync(path).isFile());
}

const textOf = (path) => readFileSync(path, 'utf8');

test('no page has a script, a style or a handler in its text, so that the strict policy can stay', () => {
  const pages = filesOf('.html');
  assert.equal(pages.length, 1 + 1 + demos.length);
  for (const page of pages) {
    const html = textOf(page);
    assert.doesNotMatch(html, /<style|\sstyle=|\son[a-z]+=|javascript:/i, page);
    for (const [, attributes, body] of html.matchAll(/<script([^>]*)>([^]*?)<\/script>/g)) {
      assert.match(attributes, /\ssrc="/, page);
      assert.equal(body, '', page);
    }
  }
});

test('everything that a page or a module names is there, and nothing comes from elsewhere', () => {
  for (const page of filesOf('.html')) {
    for (const [, name] of textOf(page).matchAll(/\s(?:src|href)="([^"#]+)"/g)) {
      assert.doesNotMatch(name, /^(https?:)?\/\//, page);
      const file = demos.includes(name) ? `${name}.html` : name;
      if (name !== '/') assert.ok(existsSync(join(dirname(page), file)), `${page}: ${name}`);
    }
  }
  for (const script of filesOf('.js')) {
    for (const [, name] of textOf(script).matchAll(/\b(?:import|from)\s?["'](\.[^"']+)["']/g)) {
      assert.ok(existsSync(normalize(join(dirname(script), name))), `${script}: ${name}`);
    }
  }
});

test('no module makes HTML of a string', () => {
  for (const script of filesOf('.js')) {
    assert.doesNotMatch(textOf(script), /innerHTML|outerHTML|insertAdjacentHTML|document\.write|srcdoc|\beval\(|new Function/, script);
  }
});

test('each demo is short enough to be copied', () => {
  for (const demo of demos) {
    const lines = filesOf('.ts', join(here, demo)).map((path) => textOf(path).split('\n').length - 1);
    const sum = lines.reduce((one, other) => one + other, 0);
    assert.ok(sum > 0 && sum < 300, `${demo} has ${sum} lines of TypeScript`);
  }
});

test('only what a page needs is built', () => {
  for (const path of filesOf('')) assert.match(path, /\.(html|js|css|svg)$/);
});

test('text keeps WCAG AA contrast in light and dark', () => {
  const [light, dark] = palettes(textOf(join(dist, 'style.css')));
  const pairs = [
    ['ink', ['ground', 'surface', 'sunken']],
    ['muted', ['ground', 'surface', 'sunken']],
    ['on-accent', ['accent', 'accent-deep']],
    ['on-own', ['own']],
    ['accent', ['surface']],
    ['good', ['good-wash', 'ground', 'surface', 'sunken']],
    ['bad', ['bad-wash', 'sunken', 'surface']],
    ['wait', ['wait-wash', 'sunken']],
    ['surface', ['bad']],
  ];
  for (const [scheme, palette] of Object.entries({ light, dark })) {
    for (const [text, grounds] of pairs) {
      for (const ground of grounds) {
        const ratio = contrast(palette[text], palette[ground]);
        assert.ok(ratio >= 4.5, `${scheme}: ${text} on ${ground} is ${ratio.toFixed(2)}`);
      }
    }
  }
});

/** The custom properties of the two `:root` blocks; dark inherits what it does not name. */
function palettes(css) {
  const [light, dark] = [...css.matchAll(/:root \{([^}]*)\}/g)].map(([, block]) =>
    Object.fromEntries([...block.matchAll(/--([a-z-]+): (#[0-9a-f]{6});/g)].map(([, name, value]) => [name, value])),
  );
  return [light, { ...light, ...dark }];
}

/** WCAG 2.2, relative luminance and contrast ratio. */
function contrast(one, other) {
  const luminance = (colour) => {
    const [r, g, b] = [1, 3, 5].map((at) => {
      const part = parseInt(colour.slice(at, at + 2), 16) / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}
