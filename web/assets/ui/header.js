// The switches at the top of both pages: language and theme.

import { byId, setIcon } from './dom.js';
import { language, languages, setLabel, setLanguage, setText } from './i18n.js';
import { remember } from './storage.js';

const prefersDark = matchMedia('(prefers-color-scheme: dark)');

/** What is shown now, whether chosen or the system's. */
export const isDark = () => (document.documentElement.dataset.theme ?? (prefersDark.matches ? 'dark' : 'light')) === 'dark';

function startTheme(button) {
  const show = () => {
    button.setAttribute('aria-pressed', String(isDark()));
    setIcon(button, isDark() ? 'sun' : 'moon');
    setLabel(button, 'theme.dark');
  };
  button.addEventListener('click', () => {
    const theme = isDark() ? 'light' : 'dark';
    document.documentElement.dataset.theme = theme;
    remember('theme', theme);
    show();
  });
  prefersDark.addEventListener('change', show);
  show();
}

function startLanguage(select) {
  for (const [code, name] of Object.entries(languages)) {
    const option = new Option(name, code, false, code === language());
    option.lang = code;
    select.add(option);
  }
  select.value = language();
  select.addEventListener('change', () => setLanguage(select.value));
}

/** Starts the switches; `title` is the string with the title of the page. */
export function startHeader(title) {
  startTheme(byId('theme'));
  startLanguage(byId('language'));
  setText(document.querySelector('title'), title);
}
