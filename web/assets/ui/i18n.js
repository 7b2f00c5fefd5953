// The language of a page. An element remembers which string it shows, so that switching the language
// changes everything that is on the screen, messages included.

import { en } from '../../i18n/en.js';
import { ko } from '../../i18n/ko.js';
import { remember } from './storage.js';

const tables = { en, ko };

/** The languages there are, by their own names. */
export const languages = { en: 'English', ko: '한국어' };

const changed = new EventTarget();

export const language = () => document.documentElement.lang;

/** The string `key` with its `{names}` filled in. */
export function t(key, values = {}) {
  const text = tables[language()]?.[key] ?? en[key];
  if (text === undefined) throw new Error(`no string "${key}"`);
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? format(values[name]) : whole));
}

const format = (value) => (typeof value === 'number' ? value.toLocaleString(language()) : String(value));

const targets = {
  t: (node, text) => (node.textContent = text),
  tLabel: (node, text) => {
    node.setAttribute('aria-label', text);
    node.title = text;
  },
  tPlaceholder: (node, text) => (node.placeholder = text),
  tTitle: (node, text) => (node.title = text),
};

function set(node, target, key, values) {
  node.dataset[target] = key;
  if (values) node.dataset[`${target}Values`] = JSON.stringify(values);
  else delete node.dataset[`${target}Values`];
  targets[target](node, t(key, values));
}

export const setText = (node, key, values) => set(node, 't', key, values);
export const setLabel = (node, key, values) => set(node, 'tLabel', key, values);
export const setPlaceholder = (node, key, values) => set(node, 'tPlaceholder', key, values);

/** Text that is nobody's string: a name, a number. */
export function setPlain(node, text) {
  delete node.dataset.t;
  delete node.dataset.tValues;
  node.textContent = text;
}

const attribute = (target) => `data-${target.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

/** Writes every string below `root` anew in the language of the page. */
export function translate(root = document) {
  for (const target of Object.keys(targets)) {
    for (const node of root.querySelectorAll(`[${attribute(target)}]`)) {
      const values = node.dataset[`${target}Values`];
      targets[target](node, t(node.dataset[target], values && JSON.parse(values)));
    }
  }
}

export function setLanguage(code) {
  document.documentElement.lang = code;
  remember('language', code);
  translate();
  changed.dispatchEvent(new Event('change'));
}

/** For what is not a string of one element: `listener` runs after each switch. */
export const onLanguage = (listener) => changed.addEventListener('change', listener);
