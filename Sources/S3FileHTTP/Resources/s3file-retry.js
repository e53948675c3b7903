// S3File: what there is to say and to do while files travel: how far they are, all cancelled at once, a fresh policy, another try, and of a
// failure a sentence that says what to do. s3file.js loads this when the first upload begins; without it files travel all the same.

const TRIES = 3

const WORDS = {
  uploading: 'Uploading {percent}, {loaded} of {size}',
  left: '{text}, about {time} left',
  sent: 'Sent, waiting for the storage',
  progress: '{percent} uploaded.',
  cancelAll: 'Cancel all',
  retrying: 'Trying again in {time}',
  offline: 'Waiting for the network',
  again: 'Try again',
  details: 'Details',
  request: 'request {id}',
  large: 'This file is too large.',
  changed: 'The file changed after you chose it. Choose it again.',
  outdated: 'This page was open for too long. Reload it and choose the file again.',
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
  ['outdated', /expired/i],
  ['type', /content-type/i],
  ['busy', /^(5|SlowDown|ServiceUnavailable|InternalError|RequestTimeout)/],
  ['noAnswer', /^NoAnswer/],
  ['setup', /^(NoSuchBucket|InvalidAccessKeyId|SignatureDoesNotMatch)/],
  ['refused', /./],
]

// Of a storage that can be reached all the same.
const UNREADABLE = { code: 'NoAnswer', message: 'Its connections break off, or no CORS rule lets this page read its answers.' }

let kit

// Whenever files begin, and before what else needs the tools.
export const prepare = (tools, home) => {
  if (!kit) start(tools)
  if (home) offer(home)
}

const start = (tools) => {
  kit = tools
  Object.assign(kit, { advance, offer })
  for (const name in WORDS) kit.texts[name] ??= WORDS[name]
  // Bytes may still get through; until some do, the rows say what they wait for.
  addEventListener('offline', () => kit.moving.forEach((entry) => kit.show(entry, entry.state, kit.text('offline'))))
}

// MARK: how far

const percent = (fraction) => kit.number(Math.floor(100 * fraction) / 100, { style: 'percent' })

const duration = (seconds) =>
  seconds < 60 ? kit.measure(Math.ceil(seconds), 'second')
  : seconds < 5400 ? kit.measure(Math.ceil(seconds / 60), 'minute')
  : kit.measure(seconds / 3600, 'hour')

const total = (entries) => {
  let loaded = 0
  let total = 0
  for (const entry of entries) {
    loaded += entry.loaded
    total += entry.file.size
  }
  return { progress: total && loaded / total, loaded, total }
}

// Once its speed is known, also how long it will take.
const draw = (entry, { progress, loaded }) => {
  const { show, text, number, step, size } = kit
  const { file, rate } = entry
  if (loaded >= file.size) {
    show(entry, 'uploading', text('sent'))
    return entry.bar.removeAttribute('value')
  }
  const scale = 1000 ** step(file.size)
  let words = text('uploading', { percent: percent(progress), loaded: number(loaded / scale), size: size(file.size) })
  if (rate) words = text('left', { text: words, time: duration((file.size - loaded) / rate) })
  show(entry, 'uploading', words)
  entry.bar.value = progress
}

// So many bytes of a file have gone.
const advance = (entry, bytes, originalEvent) => {
  const { text, say, emit, entriesOf, stateOf, homeOf } = kit
  const { file, picker: { input, entries } } = entry
  const { form } = input
  const home = homeOf(input)
  const now = performance.now()
  entry.loaded = Math.min(bytes, file.size)
  const own = total([entry])
  // How fast it goes, of the last seconds.
  entry.since ??= { now, loaded: entry.loaded }
  const seconds = (now - entry.since.now) / 1000
  if (seconds > 2) entry.rate = (entry.loaded - entry.since.loaded) / seconds
  if (seconds > 10) entry.since = null
  draw(entry, own)
  emit(entry, 'progress', own)
  if (form) {
    // As django-s3file sends it, to the input and to the form.
    const current = { currentFile: file, currentFileName: file.name, currentFileProgress: own.progress, originalEvent }
    const tell = (target, entries) =>
      target.dispatchEvent(new CustomEvent('progress', { detail: { ...total(entries), ...current } }))
    tell(input, entries)
    tell(form, entriesOf(form))
  }
  const state = stateOf(home)
  const quarter = Math.floor(total(entriesOf(home)).progress * 4) / 4
  if (quarter > state.quarter && quarter < 1) say(input, text('progress', { percent: percent((state.quarter = quarter)) }))
}

// The button that cancels what moves, when that is more than one file.
const offer = (home) => {
  const { stateOf, entriesOf, isMoving } = kit
  const state = stateOf(home)
  const all = (state.all ??= cancelAll(home, state))
  const moving = entriesOf(home).filter(isMoving)
  const isNeeded = moving.length > 1
  if (isNeeded && all.hidden) moving.at(-1).picker.list.after(all)
  // It stays while it has the focus.
  all.hidden = !isNeeded && document.activeElement !== all
}

const cancelAll = (home, state) => {
  const { buttonOf, text, entriesOf, isMoving, remove } = kit
  const all = buttonOf('s3file-cancel-all', () => {
    const moving = entriesOf(home).filter(isMoving)
    // Whoever cancels all does not want the form sent with what was there before. Who cancels one file sends the others.
    state.busy = false
    moving[0]?.picker.input.focus()
    moving.forEach(remove)
  })
  all.textContent = text('cancelAll')
  all.hidden = true
  all.onblur = () => offer(home)
  return all
}

// MARK: a fresh policy

const isPast = (time) => Date.parse(time) < Date.now()

// Before a try: what has run out, by this computer's clock, is renewed. A clock that is wrong does no harm.
export const freshen = async (entry, tools) => {
  prepare(tools)
  const { s3fExpires, s3fEnds } = entry.picker.input.dataset
  if (isPast(s3fExpires) || isPast(s3fEnds)) await renew(entry)
}

// One request, however many files wait for it. A ticket that ended comes back as another one, of another folder; no form can bring what was
// uploaded under the old one, so it is uploaded again.
const renew = ({ picker }) =>
  (picker.renewal ??= (async () => {
    const { set, show, begin } = kit
    const { input, entries } = picker
    const { dataset } = input
    const body = new URLSearchParams({ ticket: dataset.s3fSignature })
    const response = await fetch(dataset.s3fInputs, { method: 'POST', body })
    if (!response.ok) throw new Error(`A fresh policy was refused: ${response.status}`)
    const { url, fields, ticket, expiresAt, ticketExpiresAt } = await response.json()
    // Nothing else may take its place: without what the input has it could send no file any more.
    if (!url || !fields || !ticket) throw new Error('Something else came in place of a fresh policy')
    for (const { name } of [...input.attributes]) if (name.startsWith('data-fields-')) input.removeAttribute(name)
    for (const name in fields) set(input, `data-fields-${name}`, fields[name])
    dataset.url = url
    dataset.s3fExpires = expiresAt
    dataset.s3fEnds = ticketExpiresAt
    // The server says that it lives: a clock that knows better is wrong, and is not asked any more.
    if (isPast(ticketExpiresAt)) delete dataset.s3fEnds
    if (dataset.s3fSignature === ticket) return
    dataset.s3fSignature = ticket
    // What is on its way goes again once it has arrived.
    for (const entry of entries) entry.ends = 0
    const over = entries.filter(({ state }) => state === 'uploaded')
    for (const entry of over) show(entry, 'chosen')
    begin(over)
  })().finally(() => (picker.renewal = null)))

// MARK: another try

// Returns when it is worth another try, or when the upload was cancelled; throws {…failure, sentence} when not.
export const recover = async (entry, failure, tools) => {
  const { file, picker } = entry
  prepare(tools)
  const isReadable = await file.slice(0, 1).arrayBuffer().then(() => true, () => false)
  if (!isReadable) throw describe(entry, { code: 'Unreadable' })
  if (failure.status === 403 && picker.input.dataset.s3fInputs && !entry.renewed) {
    entry.renewed = true
    if (await renew(entry).then(() => true, () => false)) return
  }
  const isWorthIt = failure.again || failure.status >= 500 || failure.code === 'RequestTimeout'
  if (!isWorthIt) throw describe(entry, failure)
  // A long upload may fail as often as it likes, if only it gets on.
  entry.tries = failure.moved ? 1 : entry.tries + 1
  if (entry.tries >= TRIES && navigator.onLine) {
    const { url } = picker.input.dataset
    const isReached = failure.isStorage && (await fetch(url, { mode: 'no-cors' }).then(() => true, () => false))
    throw describe(entry, isReached ? UNREADABLE : failure)
  }
  const delay = 500 * 2 ** Math.min(entry.tries, TRIES) * (0.5 + Math.random())
  kit.emit(entry, 'retry', { attempt: entry.tries, delay, code: failure.code })
  await pause(entry, delay)
}

// Until the time is over, or while the network is away until it is back.
const pause = (entry, delay) =>
  new Promise((resolve) => {
    const { show, text } = kit
    entry.abort = resolve
    if (navigator.onLine) setTimeout(resolve, delay)
    else addEventListener('online', resolve, { once: true })
    show(entry, 'retrying', navigator.onLine ? text('retrying', { time: duration(delay / 1000) }) : text('offline'))
  })

// The sentence, and beside it in the row a way to try again, and what support wants to know.
const describe = (entry, failure) => {
  const { text, make, buttonOf, label, begin } = kit
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
