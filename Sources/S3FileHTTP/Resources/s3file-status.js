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
  becameStored: '{name}: stored.',
  allStored: { one: 'The file is stored.', other: 'All {count} files are stored.' },
  becameFailed: '{name}: {message}',
}

const STEPS = ['uploaded', 'queued', 'moving', 'stored']
const FINAL = /^(stored|failed|cancelled|expired|unknown)$/
// Of one request, so that its address is one that proxies take.
const MOST = 50
// Milliseconds by which an event may be late, or something between here and the server holds events back.
const PATIENCE = 5000
// Milliseconds for which a link is taken for good: it works for an hour.
const FRESH = 2_400_000

// The address below which the uploads are → its page's elements and connection.
const channels = new Map()
let kit, announce, alarm

// Begins anew when the element is another upload's.
export const watch = (element, tools) => {
  if (!kit) start(tools)
  element.forget?.()
  // It may have come and gone since.
  if (!element.isConnected) return
  const src = element.getAttribute('src')
  if (element.source !== src) {
    element.source = src
    element.parts = null
    delete element.dataset.state
  }
  const { origin, pathname, searchParams } = new URL(src, document.baseURI)
  const [, path, id] = /^(.*)\/uploads\/([^/]+)$/.exec(pathname) ?? []
  if (!id) return draw(element, { status: 'unknown' })
  const root = origin + path
  const token = searchParams.get('token')
  let channel = channels.get(root)
  if (!channel) channels.set(root, (channel = { root, elements: new Map(), most: MOST }))
  channel.elements.set(element, { id: id.toLowerCase(), upload: token ? `${id}.${token}` : id, asked: 0 })
  element.forget = () => {
    channel.elements.delete(element)
    if (!unfinished(channel).length) close(channel)
  }
  if (!isFinal(element)) connect(channel)
}

const isFinal = ({ dataset }) => FINAL.test(dataset.state)

const unfinished = ({ elements }) => [...elements].filter(([element]) => !isFinal(element))

const query = (group) => new URLSearchParams(group.map(([, { upload }]) => ['upload', upload]))

const close = (channel) => {
  channel.source?.close()
  channel.following?.abort()
  clearTimeout(channel.timer)
  channel.source = channel.following = null
}

// Elements come one after the other: they are asked for together. A page that nobody sees asks for nothing.
const connect = (channel) => {
  close(channel)
  if (!document.hidden) channel.timer = setTimeout(follow, 20, channel)
}

// By one connection: a stream that tells of all that are left, or questions. When there are more than one question has room for, they are
// asked for in turn.
const follow = async (channel) => {
  const { signal } = (channel.following = new AbortController())
  let tag
  let pause = 1000
  while (!signal.aborted) {
    const open = unfinished(channel)
    if (!open.length) return
    const isAll = open.length <= channel.most
    if (isAll && !channel.isBuffered) return listen(channel, open)
    const group = open.sort(([, one], [, other]) => one.asked - other.asked).slice(0, channel.most)
    // About all it waits at the server until there is something new.
    const response = await ask(channel, group, isAll && tag, signal)
    if (signal.aborted) return
    tag = response?.headers.get('ETag')
    pause = tag ? 1000 : Math.min(5000, pause * 1.5)
    // At first each is to say something soon.
    if (!tag || unfinished(channel).every(([, { asked }]) => asked)) await new Promise((resolve) => setTimeout(resolve, pause))
  }
}

const listen = (channel, group) => {
  const source = (channel.source = new EventSource(`${channel.root}/events?${query(group)}`))
  const giveUp = () => {
    close(channel)
    channel.isBuffered = true
    follow(channel)
  }
  let seconds = 0
  const wait = (seconds) => {
    clearTimeout(channel.timer)
    channel.timer = setTimeout(giveUp, 1000 * seconds + PATIENCE)
  }
  wait(0)
  source.addEventListener('status', ({ data }) => {
    wait(seconds)
    take(channel, [JSON.parse(data)])
  })
  // All there is to tell was told. It says for how long there may be silence now.
  source.addEventListener('beat', ({ data }) => {
    wait((seconds = +data))
    hide(channel, group.filter(([element]) => !element.parts))
  })
  // Otherwise it tries again by itself.
  source.onerror = () => (source.readyState === EventSource.CLOSED ? giveUp() : wait(60))
}

// One question, about some. Resolves with the server's answer, if there is one. Where a session has ended, the app leads to its login.
const ask = async (channel, group, tag, signal) => {
  const url = `${channel.root}/uploads?${query(group)}${tag ? '&wait=20' : ''}`
  const headers = tag ? { 'If-None-Match': tag } : {}
  for (const [, entry] of group) entry.asked = performance.now()
  const response = await fetch(url, { headers, cache: 'no-store', redirect: 'manual', signal }).catch(() => null)
  const { status, type } = response ?? {}
  const { uploads } = (response?.ok && (await response.json().catch(() => null))) || {}
  if (Array.isArray(uploads)) {
    const known = uploads.map(({ id }) => id)
    take(channel, uploads)
    hide(channel, group.filter(([, { id }]) => !known.includes(id)))
    return response
  }
  if (/^4(14|31)$/.test(status)) {
    // A proxy takes less.
    channel.most = Math.ceil(group.length / 2)
  } else if (type === 'opaqueredirect' || /^4(?!08|25|29)/.test(status)) hide(channel, group)
  return status === 304 ? response : null
}

// There is nothing to show.
const hide = (channel, group) => {
  for (const [element] of group) draw(element, { status: 'unknown' })
  take(channel, [])
}

// Of a page that is open for long, the links are drawn anew.
const refresh = async () => {
  for (const channel of channels.values()) {
    const isOld = ([{ dataset, told }]) => dataset.state === 'stored' && Date.now() - told > FRESH
    const old = [...channel.elements].filter(isOld)
    while (old.length && !document.hidden) await ask(channel, old.splice(0, channel.most))
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
  element.told = Date.now()
  if (status === 'unknown' && !element.parts) return element.replaceChildren(make('p', 's3file-state', text('unknown')))
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
  if (upload.url) link(element, upload, name)
  if (before === status) return
  tell(upload, sentence)
  element.dispatchEvent(new CustomEvent('s3file:status', { bubbles: true, detail: upload }))
}

const link = (element, { url, filename, contentType, size }, name) => {
  if (name.firstElementChild) return (name.firstElementChild.href = url)
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
  setInterval(refresh, 60_000)
  document.addEventListener('visibilitychange', () => {
    channels.forEach(connect)
    refresh()
  })
}
