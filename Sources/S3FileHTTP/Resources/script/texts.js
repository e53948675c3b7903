// S3File: sends the files of input.s3file straight to S3, then lets the form go with their keys.
// No dependency, no inline code or style: `script-src 'self'` is enough.
// The parts of this folder are served as one module, joined in their order. A comment has a line of its own, so that it can be left out.

// What people read. A page in another language has its own words under the same names, in JSON:
// <script type="application/json" data-s3file-texts>{"lang": "de", "remove": "Entfernen", …}</script>
// Where a number decides, a text has the plural forms of Intl.PluralRules: {"one": "…", "other": "…"}.
const texts = {
  lang: 'en',
  files: 'Files: {label}',
  chosen: 'Chosen',
  waiting: 'Waiting',
  uploaded: 'Uploaded',
  attention: 'Needs attention: {text}',
  remove: 'Remove',
  cancel: 'Cancel',
  named: '{action} {name}',
  network: 'The connection to the file storage failed. Check your network and try again.',
  tooLarge: 'Too large: {size}, the limit is {limit}.',
  wrongType: 'Not an accepted type. Accepted: {types}.',
  tooMany: 'Too many files: {count}, the limit is {limit}.',
  starting: { one: 'Uploading {count} file.', other: 'Uploading {count} files.' },
  removed: 'Removed {name}.',
  missed: '{count} of {total} files could not be uploaded.',
  done: 'All files are uploaded.',
  sending: 'All files are uploaded. Sending the form.',
  unknown: 'This upload cannot be shown. Reload the page.',
}

// The page's own words are looked for when the first is needed: then they are there.
let translated

const text = (name, values) => {
  if (!translated) {
    translated = true
    for (const block of document.querySelectorAll('script[data-s3file-texts]')) Object.assign(texts, JSON.parse(block.textContent))
  }
  const found = texts[name]
  const pattern = found.other ? (found[new Intl.PluralRules(texts.lang).select(values.count)] ?? found.other) : found
  return pattern.replace(/{(\w+)}/g, (_, key) => values[key])
}

const number = (value, options) => new Intl.NumberFormat(texts.lang, { maximumFractionDigits: 1, ...options }).format(value)

const measure = (value, unit, options) => number(value, { style: 'unit', unit, unitDisplay: 'long', ...options })

const UNITS = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte']

// Which of the units it is told in.
const step = (bytes) => (bytes < 999.95 ? 0 : Math.min(4, 1 + step(bytes / 1000)))

const size = (bytes, maximumFractionDigits = 1) =>
  measure(bytes / 1000 ** step(bytes), UNITS[step(bytes)], { maximumFractionDigits, ...(step(bytes) && { unitDisplay: 'short' }) })
