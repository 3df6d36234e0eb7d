// Runs before anything is painted, so that a chosen theme does not flash up in the other.
'use strict';
(function () {
  let theme = null;
  try {
    theme = localStorage.getItem('pqlstream.theme');
  } catch {
    /* storage is forbidden: as the system has it */
  }
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
})();
