// S3File: what becomes of an upload that fails: a fresh policy, another try, or a sentence that says what to do.
// s3file.js loads this when the first upload begins.

const TRIES = 3

const WORDS = {
  retrying: 'Trying again in {time}',
  offline: 'Waiting for the network',
  again: 'Try again',
  details: 'Details',
  request: 'request {id}',
  large: 'This file is too large.',
  changed: 'The file changed after you chose it. Choose it again.',
  expired: 'This page was open for too long. Reload it and choose the file again.',
  type: 'This type of file is not accepted here. Choose another file.',
  busy: 'The file storage is busy. Try again in a moment.',
  noAnswer: 'The file storage does not answer this page. Try again, or tell the people who run this site.',
  setup: 'This site cannot store files just now. Please tell the people who run it.',
  refused: 'The file storage refused the file. Reload the page and choose the file again.',
}

// What the storage answered, as a sentence.
const SENTENCES = [
  ['large', /^EntityTooLarge/],
  ['changed', /^Unreadable/],
  ['network', /^NetworkError/],
  ['expired', /expired/i],
  ['type', /content-type/i],
  ['busy', /^(5|SlowDown|ServiceUnavailable|InternalError|RequestTimeout)/],
  ['noAnswer', /^NoAnswer/],
  ['setup', /^(NoSuchBucket|InvalidAccessKeyId|SignatureDoesNotMatch)/],
  ['refused', /./],
]

// Of a storage that can be reached all the same.
const UNREADABLE = { code: 'NoAnswer', message: 'Its connections break off, or no CORS rule lets this page read its answers.' }

// Before a try: a policy that has run out, by this computer's clock, is renewed. A clock that is wrong does no harm.
export const freshen = async (entry, kit) => {
  prepare(kit)
  if (Date.parse(entry.picker.input.dataset.s3fExpires) < Date.now()) await renew(entry, kit)
}

// A fresh policy: one request, however many files wait for it. A ticket that ended comes back as another one, of another folder; no form
// can bring what was uploaded under the old one, so it is uploaded again.
const renew = ({ picker }, { set, show, begin }) =>
  (picker.renewal ??= (async () => {
    const { input } = picker
    const body = new URLSearchParams({ ticket: input.dataset.s3fSignature })
    const response = await fetch(input.dataset.s3fInputs, { method: 'POST', body })
    if (!response.ok) throw new Error(`A fresh policy was refused: ${response.status}`)
    const { url, fields, ticket, expiresAt } = await response.json()
    for (const { name } of [...input.attributes]) if (name.startsWith('data-fields-')) input.removeAttribute(name)
    for (const name in fields) set(input, `data-fields-${name}`, fields[name])
    input.dataset.url = url
    input.dataset.s3fExpires = expiresAt
    if (input.dataset.s3fSignature === ticket) return
    input.dataset.s3fSignature = ticket
    const over = picker.entries.filter(({ state }) => state === 'uploaded')
    for (const entry of over) show(entry, 'chosen')
    begin(over)
  })().finally(() => (picker.renewal = null)))

// Returns when it is worth another try, or when the upload was cancelled; throws {…failure, sentence} when not.
export const recover = async (entry, failure, kit) => {
  const { file, picker } = entry
  prepare(kit)
  const isReadable = await file.slice(0, 1).arrayBuffer().then(() => true, () => false)
  if (!isReadable) throw describe(entry, { code: 'Unreadable' }, kit)
  if (failure.status === 403 && picker.input.dataset.s3fInputs && !entry.renewed) {
    entry.renewed = true
    if (await renew(entry, kit).then(() => true, () => false)) return
  }
  const isWorthIt = failure.again || failure.status >= 500 || failure.code === 'RequestTimeout'
  if (!isWorthIt) throw describe(entry, failure, kit)
  // A long upload may fail as often as it likes, if only it gets on.
  entry.tries = failure.moved ? 1 : entry.tries + 1
  if (entry.tries >= TRIES && navigator.onLine) {
    const { url } = picker.input.dataset
    const isReached = failure.code === 'NetworkError' && (await fetch(url, { mode: 'no-cors' }).then(() => true, () => false))
    throw describe(entry, isReached ? UNREADABLE : failure, kit)
  }
  const delay = 500 * 2 ** Math.min(entry.tries, TRIES) * (0.5 + Math.random())
  kit.emit(entry, 'retry', { attempt: entry.tries, delay, code: failure.code })
  await pause(entry, delay, kit)
}

// Until the time is over, or while the network is away until it is back.
const pause = (entry, delay, { show, text, duration }) =>
  new Promise((resolve) => {
    entry.abort = resolve
    if (navigator.onLine) setTimeout(resolve, delay)
    else addEventListener('online', resolve, { once: true })
    show(entry, 'retrying', navigator.onLine ? text('retrying', { time: duration(delay / 1000) }) : text('offline'))
  })

// The sentence, and beside it in the row a way to try again, and what support wants to know.
const describe = (entry, failure, { text, make, buttonOf, label, begin }) => {
  const { code, status, message, request } = failure
  const { name } = entry.file
  const again = buttonOf('s3file-again', () => {
    begin([entry])
    // The button that was pressed is gone.
    entry.button.focus()
  })
  label(again, 'again', name)
  const summary = make('summary', 's3file-summary')
  label(summary, 'details', name)
  const details = make('details', 's3file-details')
  const facts = [code, status, message, request && text('request', { id: request })]
  details.append(summary, make('code', 's3file-facts', facts.filter(Boolean).join(' · ')))
  entry.help?.remove()
  entry.help = make('div', 's3file-help')
  entry.help.append(again, details)
  entry.button.before(entry.help)
  const [sentence] = SENTENCES.find(([, pattern]) => pattern.test(`${code} ${message}`))
  return { ...failure, sentence: text(sentence) }
}

let isPrepared

// Before anything fails, for the network may go in the middle of a file.
const prepare = ({ texts, moving, show, text }) => {
  if (isPrepared) return
  isPrepared = true
  for (const name in WORDS) texts[name] ??= WORDS[name]
  // Bytes may still get through; until some do, the rows say what they wait for.
  addEventListener('offline', () => moving.forEach((entry) => show(entry, entry.state, text('offline'))))
}
