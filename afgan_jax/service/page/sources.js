/** Takes image files that are dropped, pasted, chosen or photographed. */

import { byId, showText } from './dom.js';

/**
 * Listens to all ways in which files arrive.
 *
 * @param {function(File[])} onFiles
 */
export function listenForFiles(onFiles) {
  const take = (files, refused = '') => {
    const isEmpty = !files.length && !refused;
    showText(byId('refused'), isEmpty ? 'There is no file in it.' : refused);
    if (files.length) {
      onFiles([...files]);
    }
  };
  for (const [button, input] of [['choose', 'files'], ['camera', 'photo']]) {
    byId(button).addEventListener('click', () => byId(input).click());
    byId(input).addEventListener('change', ({ target }) => {
      if (target.files.length) {
        take(target.files);
        target.value = ''; // So that the same file can be chosen again.
      }
    });
  }
  document.addEventListener('paste', ({ clipboardData }) => {
    if (clipboardData?.files.length) {
      take(named(clipboardData.files));
    }
  });
  listenForDrops(take);
}

/** Gives pasted pictures, which are all 'image.png', names that differ. */
function named(files) {
  const time = new Date().toLocaleTimeString('en-GB').replaceAll(':', '-');
  return [...files].map((file, i) =>
    file.name === 'image.png'
      ? new File([file], `pasted ${time}${i ? ` ${i + 1}` : ''}.png`, file)
      : file);
}

function listenForDrops(take) {
  const zone = byId('drop');
  let depth = 0;
  const show = (change) => {
    depth = Math.max(depth + change, 0);
    zone.classList.toggle('over', depth > 0);
  };
  document.addEventListener('dragenter', () => show(1));
  document.addEventListener('dragleave', () => show(-1));
  document.addEventListener('dragover', (event) => event.preventDefault());
  document.addEventListener('drop', (event) => {
    event.preventDefault(); // The browser would leave the page for the file.
    show(-depth);
    take(...withoutFolders(event.dataTransfer));
  });
}

/** Returns the files among what was dropped, and a sentence on folders. */
function withoutFolders({ files, items }) {
  const isFolder = [...items].filter((item) => item.kind === 'file')
    .map((item) => item.webkitGetAsEntry()?.isDirectory ?? false);
  const sentence = isFolder.includes(true)
    ? 'Folders are not taken: drop the files in them.' : '';
  return [[...files].filter((_, i) => !isFolder[i]), sentence];
}
