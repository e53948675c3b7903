// S3File: <s3file-status src="/s3file/uploads/…?token=…">, what becomes of a file after its form was sent.
// s3file.js loads this for the first such element. However many there are, the page has one connection that tells of all of them.

const WORDS = {
  stepUploaded: 'Uploaded',
  stepQueued: 'Waiting',
  stepMoving: 'Moving',
  stepStored: 'Stored',
  queued: 'Processing: waiting to be stored.',
  later: 'Processing: {message} It will be tried again.',
  moving: 'Processing: moving to its place.',
  copied: 'Processing: moving to its place, {copied} of {size}.',
  stored: 'Stored.',
  failed: 'Needs attention: {message}',
  storageBusy: 'The file storage does not take it just now.',
  storageRefused: 'The file storage refused it. Please tell the people who run this site.',
  cancelled: 'Cancelled.',
  expired: 'Not finished in time. Upload the file again.',
  unknown: 'This upload cannot be shown. Reload the page.',
  becameStored: '{name}: stored.',
  allStored: { one: 'The file is stored.', other: 'All {count} files are stored.' },
  becameFailed: '{name}: {message}',
}

const STEPS = ['uploaded', 'queued', 'moving', 'stored']
const FINAL = /^(stored|failed|cancelled|expired|unknown)$/
// Milliseconds in which the first event must come, or something between here and the server holds events back.
const PATIENCE = 4000
// What the server answers in one request.
const MOST = 100

// The address below which the uploads are → its page's elements and connection.
const channels = new Map()
let kit, announce, alarm

export const watch = (element, tools) => {
  if (!kit) start(tools)
  const { origin, pathname, searchParams } = new URL(element.getAttribute('src'), document.baseURI)
  const [, path, id] = /^(.*)\/uploads\/([^/]+)$/.exec(pathname) ?? []
  if (!id) return draw(element, { status: 'unknown' })
  const root = origin + path
  const token = searchParams.get('token')
  let channel = channels.get(root)
  if (!channel) channels.set(root, (channel = { root, elements: new Map() }))
  channel.elements.set(element, { id: id.toLowerCase(), upload: token ? `${id}.${token}` : id })
  element.forget = () => {
    channel.elements.delete(element)
    if (!unfinished(channel).length) close(channel)
  }
  connect(channel)
}

const isFinal = ({ dataset }) => FINAL.test(dataset.state)

const unfinished = ({ elements }) => [...elements].filter(([element]) => !isFinal(element))

const asked = (channel) => unfinished(channel).slice(0, MOST)

const query = (channel) => new URLSearchParams(asked(channel).map(([, { upload }]) => ['upload', upload]))

const close = (channel) => {
  channel.source?.close()
  channel.polling?.abort()
  clearTimeout(channel.timer)
  channel.source = channel.polling = null
}

// Elements come one after the other: they are asked for together. A page that nobody sees asks for nothing.
const connect = (channel) => {
  close(channel)
  if (document.hidden) return
  channel.timer = setTimeout(() => (channel.isBuffered ? poll(channel) : listen(channel)), 20)
}

const listen = (channel) => {
  channel.asked = asked(channel)
  if (!channel.asked.length) return
  const source = (channel.source = new EventSource(`${channel.root}/events?${query(channel)}`))
  const giveUp = () => {
    close(channel)
    channel.isBuffered = true
    poll(channel)
  }
  channel.timer = setTimeout(giveUp, PATIENCE)
  source.addEventListener('status', ({ data }) => {
    clearTimeout(channel.timer)
    take(channel, [JSON.parse(data)])
    // The next hundred.
    if (channel.asked.every(([element]) => isFinal(element))) connect(channel)
  })
  source.onerror = () => source.readyState === EventSource.CLOSED && giveUp()
}

// Each question waits at the server until there is something new.
const poll = async (channel) => {
  const polling = (channel.polling = new AbortController())
  let tag = ''
  let pause = 1000
  while (unfinished(channel).length && !polling.signal.aborted) {
    const elements = asked(channel)
    const url = `${channel.root}/uploads?${query(channel)}${tag && '&wait=20'}`
    const headers = tag ? { 'If-None-Match': tag } : {}
    const response = await fetch(url, { headers, cache: 'no-store', signal: polling.signal }).catch(() => null)
    if (polling.signal.aborted) return
    const isRefused = response && response.status >= 400 && response.status < 500 && response.status !== 429
    const answer = response?.ok && (await response.json().catch(() => null))
    if (isRefused) for (const [element] of elements) draw(element, { status: 'unknown' })
    if (answer) {
      tag = response.headers.get('ETag') ?? ''
      const known = answer.uploads.map(({ id }) => id)
      for (const [element, { id }] of elements) if (!known.includes(id)) draw(element, { status: 'unknown' })
      take(channel, answer.uploads)
    }
    pause = answer || response?.status === 304 ? 1000 : Math.min(5000, pause * 1.5)
    await new Promise((resolve) => setTimeout(resolve, pause))
  }
}

const take = (channel, uploads) => {
  for (const upload of uploads) {
    for (const [element, { id }] of channel.elements) if (id === upload.id) draw(element, upload)
  }
  if (!unfinished(channel).length) close(channel)
}

// MARK: one element

// The parts are made once and changed in place.
const parts = (element, { filename, size: bytes }) => {
  const { make, nameOf, barOf, text, size } = kit
  const steps = make('ol', 's3file-steps')
  for (const step of STEPS) steps.append(make('li', 's3file-step', text(`step${step[0].toUpperCase()}${step.slice(1)}`)))
  const name = nameOf(filename)
  const bar = barOf(name)
  const state = make('p', 's3file-state')
  element.replaceChildren(name, make('span', 's3file-size', size(bytes)), steps, bar, state)
  return { name, steps, bar, state }
}

// What went wrong, in a sentence for a person. A translation may know an error by its code; what the storage or a program has to say is for
// those who run the site, who find it in the record.
const reason = ({ status, error: { code, message } }) => {
  const { texts, text } = kit
  const isOurs = /^(source_changed|source_missing|destination_exists|wrong_type|copy_unproved|worker_lost)$/.test(code)
  return texts[`error.${code}`] ?? (isOurs ? message : text(status === 'failed' ? 'storageRefused' : 'storageBusy'))
}

const words = (upload) => {
  const { status, progress, error, attempt } = upload
  const { texts, text, number, step, size } = kit
  const message = error && reason(upload)
  if (status === 'queued' && attempt && error) return text('later', { message })
  if (status === 'failed') return text('failed', { message })
  if (status === 'moving' && progress?.copied) {
    return text('copied', { copied: number(progress.copied / 1000 ** step(progress.total)), size: size(progress.total) })
  }
  return texts[status] ? text(status) : status
}

const draw = (element, upload) => {
  const { set, make, text } = kit
  const { status, progress } = upload
  const before = element.dataset.state
  element.dataset.state = status
  if (status === 'unknown') return element.append(make('p', 's3file-state', text('unknown')))
  const { name, steps, bar, state } = (element.parts ??= parts(element, upload))
  const index = STEPS.indexOf(status)
  steps.hidden = index < 0
  for (const [place, step] of [...steps.children].entries()) set(step, 'aria-current', place === index && 'step')
  bar.hidden = status !== 'moving'
  set(bar, 'max', progress?.total)
  set(bar, 'value', progress?.copied)
  const sentence = words(upload)
  state.textContent = sentence
  set(bar, 'aria-valuetext', sentence)
  if (upload.url && !name.firstElementChild) link(element, upload, name)
  if (before === status) return
  tell(upload, sentence)
  element.dispatchEvent(new CustomEvent('s3file:status', { bubbles: true, detail: upload }))
}

const link = (element, { url, filename, contentType, size }, name) => {
  name.replaceChildren(Object.assign(kit.make('a', 's3file-link', filename), { href: url, rel: 'noreferrer' }))
  if (!/^image\/(png|jpeg|gif|webp|avif)$/.test(contentType) || size > 5e6) return
  element.prepend(Object.assign(new Image(48, 48), { className: 's3file-preview', alt: '', src: url }))
}

// Aloud: what became of a file, or of all of them. The last word wins.
const tell = ({ status, filename: name }, sentence) => {
  const { text } = kit
  if (status === 'failed') alarm(text('becameFailed', { name, message: sentence }))
  if (status !== 'stored') return
  const all = [...channels.values()].flatMap(({ elements }) => [...elements.keys()])
  const isAll = all.every(({ dataset }) => dataset.state === 'stored')
  announce(isAll ? text('allStored', { count: all.length }) : text('becameStored', { name }))
}

const start = (tools) => {
  kit = tools
  for (const name in WORDS) kit.texts[name] ??= WORDS[name]
  const status = kit.spoken('status')
  const alert = kit.spoken('alert')
  document.body.append(status, alert)
  announce = kit.speaker(status)
  alarm = (message) => (alert.textContent = message)
  document.addEventListener('visibilitychange', () => channels.forEach((channel) => (document.hidden ? close(channel) : connect(channel))))
}
