/** Writes the results of a session as a table for spreadsheets. */

const COLUMNS = [
  'file', 'model', 'version', 'score', 'probability', 'verdict', 'threshold',
  'trial_threshold', 'trial_verdict', 'pixel_threshold', 'regions', 'width',
  'height', 'note', 'milliseconds', 'error',
];

/** Quotes a cell. Text that a spreadsheet would compute gets an apostrophe. */
export function cell(value) {
  if (value === null || value === undefined) {
    return '';
  }
  let text = `${value}`;
  if (typeof value === 'string' && /^[=+\-@\t\r]/.test(text)) {
    text = `'${text}`;
  }
  return /[",;\n\r\t]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Makes the text of the table, by RFC 4180, of all images with an outcome. */
export function makeCsv(session) {
  const lines = session.sorted()
    .filter((item) => !item.isRunning)
    .map((item) => row(session, item).map(cell).join(','));
  const text = [COLUMNS.join(','), ...lines, ''].join('\r\n');
  // Excel needs the mark to read UTF-8.
  return /^[\x00-\x7f]*$/.test(text) ? text : `\ufeff${text}`;
}

function row(session, item) {
  if (item.state !== 'done') {
    const values = { file: item.name, error: item.error };
    return COLUMNS.map((name) => values[name]);
  }
  const { result } = item;
  const trial = session.trialOf(result.model);
  const values = {
    ...result,
    file: item.name,
    regions: JSON.stringify(result.regions ?? []),
    trial_threshold: trial,
    trial_verdict: trial === undefined ? null : session.verdictOf(item),
    error: null,
  };
  return COLUMNS.map((name) => values[name]);
}

/** Offers the table for download. */
export function download(session) {
  const blob = new Blob([makeCsv(session)], { type: 'text/csv' });
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  const time = new Date().toISOString().slice(0, 19).replaceAll(':', '-');
  link.download = `inspection_${time}.csv`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
