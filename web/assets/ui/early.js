// Runs before the first paint, so that a page never flashes in the other theme or language.
{
  const read = (key) => {
    try {
      return localStorage.getItem(key);
    } catch {
      return null; // storage can be forbidden; then nothing is remembered
    }
  };
  const theme = read('turnpike.theme');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
  const known = ['en', 'ko'];
  const wanted = [read('turnpike.language'), ...navigator.languages.map((tag) => tag.split('-')[0])];
  document.documentElement.lang = wanted.find((language) => known.includes(language)) ?? 'en';
}
