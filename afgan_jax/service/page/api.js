/** Calls the service. */

const TOKEN = 'afgan-token';
const TIMEOUT = 180_000; // In ms; the service answers or refuses before.
const AWAY =
  'The service cannot be reached: check that it runs and that this device is ' +
  'in its network.';

/** An answer other than a result, with one sentence for the user. */
export class ServiceError extends Error {
  /**
   * @param {number} status of HTTP; 0 if there was no answer.
   * @param {string} message
   * @param {number} wait seconds after which to try again, by Retry-After.
   */
  constructor(status, message, wait = 1) {
    super(message);
    this.status = status;
    this.wait = wait;
  }
}

/** Keeps the token until the tab is closed. */
export const token = {
  get: () => sessionStorage.getItem(TOKEN),
  set: (value) => sessionStorage.setItem(TOKEN, value),
};

function headers() {
  const value = token.get();
  return value ? { Authorization: `Bearer ${value}` } : {};
}

/** Reads Retry-After, seconds or a date; at least a tenth of a second. */
export function retryAfter(text, now = Date.now()) {
  const seconds = text ? Number(text) : 1;
  const wait = Number.isNaN(seconds)
    ? (Date.parse(text) - now) / 1000 : seconds;
  return Number.isNaN(wait) ? 1 : Math.min(Math.max(wait, 0.1), 600);
}

function refusal(status, text, after) {
  let message;
  try {
    message = JSON.parse(text).error;
  } catch {
    // An answer of something between this page and the service.
  }
  if (typeof message !== 'string' || !message) {
    message = `The service answered with status ${status} and no explanation.`;
  }
  return new ServiceError(status, message, retryAfter(after));
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    throw new ServiceError(0, 'The answer is not of an inspection service.');
  }
}

/**
 * Lists the models of the service.
 *
 * @returns {Promise<Object[]>}
 * @throws {ServiceError}
 */
export async function listModels() {
  let response;
  let text;
  try {
    response = await fetch('api/models', { headers: headers() });
    text = await response.text();
  } catch {
    throw new ServiceError(0, AWAY);
  }
  if (!response.ok) {
    throw refusal(response.status, text, response.headers.get('Retry-After'));
  }
  const models = parse(text);
  if (!Array.isArray(models)) {
    throw new ServiceError(0, 'The answer is not of an inspection service.');
  }
  return models;
}

/**
 * Sends an image. `XMLHttpRequest`, for `fetch` tells no progress of uploads.
 *
 * @param {File} file
 * @param {string} model name of the model; '' for the service's first.
 * @param {function(number)} onProgress gets the share that was sent.
 * @returns {{answer: Promise<Object>, cancel: function()}}
 */
export function predict(file, model, onProgress) {
  const request = new XMLHttpRequest();
  const answer = new Promise((resolve, reject) => {
    const fail = (message) => reject(new ServiceError(0, message));
    request.upload.onprogress = (event) =>
      event.lengthComputable && onProgress(event.loaded / event.total);
    request.upload.onload = () => onProgress(1);
    request.onerror = () => fail(AWAY);
    request.onabort = () => fail('The image was removed.');
    request.ontimeout = () => fail('The service did not answer in 3 minutes.');
    request.onload = () => finish(request, resolve, reject);
    request.timeout = TIMEOUT;
    const query = new URLSearchParams({ ...(model && { model }), map: 1 });
    request.open('POST', `predict?${query}`);
    for (const [name, value] of Object.entries(headers())) {
      request.setRequestHeader(name, value);
    }
    const form = new FormData();
    form.append('image', file, file.name);
    request.send(form);
  });
  return { answer, cancel: () => request.abort() };
}

function finish(request, resolve, reject) {
  const { status, responseText } = request;
  if (status < 200 || status >= 300) {
    const after = request.getResponseHeader('Retry-After');
    reject(refusal(status, responseText, after));
    return;
  }
  try {
    const result = parse(responseText);
    if (!Number.isFinite(result.score) || !result.verdict) {
      throw new ServiceError(0, 'The answer of the service has no verdict.');
    }
    resolve(result);
  } catch (error) {
    reject(error);
  }
}
