
// MARK: one upload

const PARALLEL = 3
// Milliseconds without a byte moving.
const STALL = 90_000
// Milliseconds for the answer, once every byte is sent.
const SILENCE = 600_000

// Entries whose bytes are on the way, and those that wait for their turn.
const moving = new Set()
const queue = []

const bodyFor = ({ file, picker: { input } }) => {
  const body = new FormData()
  // Only the key has such a mark: each file has a name of its own, and its own name travels beside it.
  const random = crypto.getRandomValues(new Uint32Array(4)).join('-')
  for (const { name, value } of input.attributes) {
    if (name.startsWith('data-fields-')) body.append(name.slice(12), value.replace('${filename}', random))
  }
  body.append('success_action_status', '201')
  body.append('Content-Type', file.type || 'application/octet-stream')
  body.append('file', file)
  return body
}

// A request of `entry`, until no byte moves for too long. Resolves with the answer; rejects with {code, again}.
const send = (entry, method, url, body, onprogress) =>
  new Promise((resolve, reject) => {
    const request = new XMLHttpRequest()
    let watchdog
    const alive = (patience = STALL) => {
      clearTimeout(watchdog)
      watchdog = setTimeout(entry.abort, patience)
    }
    entry.abort = () => request.abort()
    request.upload.onprogress = (event) => {
      alive()
      onprogress(event)
    }
    // All bytes are sent; the store may be silent while it writes them down.
    request.upload.onload = () => alive(SILENCE)
    request.onload = () => resolve(request)
    request.onerror = request.onabort = () => reject({ code: 'NetworkError', again: true })
    request.onloadend = () => clearTimeout(watchdog)
    request.open(method, url)
    request.overrideMimeType('application/xml')
    alive()
    request.send(body)
  })

// One try. Resolves with the key; rejects with {code, status, message, request}.
const post = async (entry) => {
  entry.ticket = entry.picker.input.dataset.s3fSignature
  const { status, responseXML } = await send(entry, 'POST', entry.picker.input.dataset.url, bodyFor(entry), (event) =>
    advance(entry, event.loaded, event),
  )
  const of = (tag) => responseXML?.getElementsByTagNameNS('*', tag)[0]?.textContent
  if (status === 201 && of('Key')) return of('Key')
  throw { code: of('Code') ?? `${status}`, status, message: of('Message'), request: of('RequestId') }
}

// What only some pages need, or only some uploads.
const load = (name) => import(new URL(`./s3file-${name}.js`, import.meta.url))

// Tries until it succeeds, or whoever knows about failures gives up.
const transfer = async (entry) => {
  const { input } = entry.picker
  const { s3fMultipart, s3fMultipartAbove, s3fInputs } = input.dataset
  while (!entry.gone) {
    entry.loaded = 0
    entry.rate = entry.since = null
    show(entry, 'uploading', text('waiting'))
    try {
      // Without a fresh policy the old one is tried.
      if (s3fInputs) await load('retry').then((module) => module.freshen(entry, kit)).catch(() => 0)
      if (entry.gone) return
      return await (s3fMultipart && entry.file.size > s3fMultipartAbove ? (await load('multipart')).upload(entry, kit) : post(entry))
    } catch (failure) {
      if (!entry.gone) await (await load('retry')).recover(entry, failure, kit)
    }
  }
}

const stay = (event) => event.preventDefault()

const upload = async (entry) => {
  moving.add(entry)
  addEventListener('beforeunload', stay)
  emit(entry, 'start')
  entry.tries = entry.renewed = 0
  const failure = await transfer(entry).then((key) => void (entry.key = key), (error) => error)
  moving.delete(entry)
  if (!moving.size) removeEventListener('beforeunload', stay)
  if (!entry.gone) {
    if (failure) fail(entry, failure.sentence ?? text('network'), failure)
    else {
      entry.loaded = entry.file.size
      show(entry, 'uploaded')
      mark(entry.picker)
      emit(entry, 'uploaded')
    }
  }
  const { form } = entry.picker.input
  if (form) settle(form)
  next()
}

// A few at a time, whatever form they are of.
const next = () => {
  while (queue.length && moving.size < PARALLEL) {
    const entry = queue.shift()
    if (!entry.gone) upload(entry)
  }
}

const begin = (entries) => {
  const todo = entries.filter(({ state, refused }) => !refused && /^(chosen|error)$/.test(state))
  if (!todo.length) return
  const [{ picker: { input } }] = todo
  for (const entry of todo) show(entry, 'waiting')
  queue.push(...todo)
  if (input.form) {
    const state = stateOf(input.form)
    state.quarter = 0
    state.hasBegun = true
    offerToCancel(input.form)
  }
  say(input, text('starting', { count: todo.length }))
  // While the network is there.
  load('retry').catch(() => 0)
  next()
}

const total = (entries) => {
  let loaded = 0
  let total = 0
  for (const entry of entries) {
    loaded += entry.loaded
    total += entry.file.size
  }
  return { progress: total && loaded / total, loaded, total }
}

// How far it is, and once its speed is known, how long it will take.
const draw = (entry, { progress, loaded }) => {
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

const advance = (entry, bytes, originalEvent) => {
  const { file, picker: { input, entries } } = entry
  const { form } = input
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
  if (!form) return
  // As django-s3file sends it, to the input and to the form.
  const current = { currentFile: file, currentFileName: file.name, currentFileProgress: own.progress, originalEvent }
  const tell = (target, entries) =>
    target.dispatchEvent(new CustomEvent('progress', { detail: { ...total(entries), ...current } }))
  tell(input, entries)
  tell(form, entriesOf(form))
  const state = stateOf(form)
  const quarter = Math.floor(total(entriesOf(form)).progress * 4) / 4
  if (quarter > state.quarter && quarter < 1) say(input, text('progress', { percent: percent((state.quarter = quarter)) }))
}

// What the modules that are loaded on demand work with.
const kit = {
  texts, text, number, step, size, duration, set, make, buttonOf, label, nameOf, barOf, spoken, speaker, say, show, emit,
  pickerOf, sync, put, begin, moving, send, advance,
}
