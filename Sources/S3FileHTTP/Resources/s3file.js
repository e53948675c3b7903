// S3File: sends the files of input.s3file straight to S3, then lets the form go with their keys.
// One module, no dependency, no inline code or style: `script-src 'self'` is enough.
// A comment has a line of its own, so that it can be left out when this is served.
const PARALLEL = 3
const TRIES = 3
// Milliseconds without a byte moving.
const STALL = 90_000
// Milliseconds for the answer, once every byte is sent.
const SILENCE = 600_000
const PICKER = 'input.s3file[type=file]'

// input → {input, list, entries, described}
const pickers = new WeakMap()
// form → {status, alert, busy, sent, …}
const forms = new WeakMap()
// Entries whose bytes are on the way.
const moving = new Set()
let serial = 0

const size = (bytes) => {
  let unit = 0
  for (; bytes >= 999.95 && unit < 4; unit++) bytes /= 1000
  return `${+bytes.toFixed(1)} ${['bytes', 'kB', 'MB', 'GB', 'TB'][unit]}`
}

const tooLarge = (file, limit) => `Too large: ${size(file.size)}${limit ? `, the limit is ${size(+limit)}` : ''}.`

// What S3 answered, as a sentence that says what to do.
const ANSWERS = [
  [/^Unreadable/, 'The file changed after you chose it. Choose it again.'],
  [/^NetworkError/, 'The connection to the file storage failed. Check your network and send the form again.'],
  [/expired/i, 'This page was open for too long. Reload it and choose the file again.'],
  [/content-type/i, 'This type of file is not accepted here. Choose another file.'],
  [/^(5|SlowDown|ServiceUnavailable|InternalError|RequestTimeout)/, 'The file storage is busy. Send the form again in a moment.'],
  [/./, 'The file storage refused the file. Reload the page and choose the file again.'],
]

const sentence = ({ code, message }, { file, picker }) =>
  code === 'EntityTooLarge'
    ? tooLarge(file, picker.input.dataset.s3fMaxSize)
    : ANSWERS.find(([pattern]) => pattern.test(`${code} ${message}`))[1]

// MARK: rows

const set = (element, name, value) => (value ? element.setAttribute(name, value) : element.removeAttribute(name))

const make = (tag, className, textContent = '') => Object.assign(document.createElement(tag), { className, textContent })

const nameOf = (file) => Object.assign(make('span', 's3file-name', file.name), { id: `s3file-${++serial}`, dir: 'auto' })

const barOf = (name) => {
  const bar = make('progress', 's3file-progress')
  set(bar, 'aria-labelledby', name.id)
  return bar
}

// Hidden from eyes only; by CSSOM, so that it needs neither the stylesheet nor an inline style.
const spoken = (role) => {
  const region = make('div', 's3file-spoken')
  set(region, 'role', role)
  Object.assign(region.style, { position: 'absolute', width: '1px', height: '1px', overflow: 'hidden', clipPath: 'inset(50%)' })
  return region
}

const pickerOf = (input) => {
  let picker = pickers.get(input)
  if (!picker) {
    const list = make('ul', 's3file-files')
    set(list, 'aria-label', `Files: ${input.labels?.[0]?.textContent.trim() || input.name}`)
    list.hidden = true
    pickers.set(input, (picker = { input, list, entries: [], described: input.getAttribute('aria-describedby') }))
  }
  if (!picker.list.isConnected) (input.closest('label') ?? input).after(picker.list)
  return picker
}

const inputsOf = (form) =>
  [...form.getRootNode().querySelectorAll(PICKER)].filter((input) => input.form === form && !input.matches(':disabled'))

const entriesOf = (form) => inputsOf(form).flatMap((input) => pickerOf(input).entries)

const stateOf = (form) => {
  let state = forms.get(form)
  if (!state) forms.set(form, (state = { status: spoken('status'), alert: spoken('alert'), sent: -1e9, said: -1e9 }))
  if (!state.status.isConnected) form.append(state.status, state.alert)
  return state
}

// Polite, at most one a second, and the last message always wins.
const say = (form, text) => {
  const state = stateOf(form)
  state.words = text
  state.timer ||= setTimeout(() => {
    state.timer = 0
    state.said = performance.now()
    state.status.textContent = state.words
  }, Math.max(50, state.said + 1000 - performance.now()))
}

// A change is announced; the same words twice are not.
const alarm = (form, text) => {
  const { alert } = stateOf(form)
  alert.textContent = ''
  setTimeout(() => (alert.textContent = text), 50)
}

const emit = ({ picker, file, key }, name, detail) =>
  picker.input.dispatchEvent(
    new CustomEvent(`s3file:${name}`, { bubbles: true, detail: { file, name: file.name, key, ...detail } }),
  )

const newEntry = (picker, file) => {
  const name = nameOf(file)
  const entry = {
    picker, file, loaded: 0,
    row: make('li', 's3file-file'),
    bar: barOf(name),
    label: make('span', 's3file-state'),
    button: make('button', 's3file-remove'),
  }
  entry.label.id = `${name.id}-state`
  entry.bar.max = 100
  entry.button.type = 'button'
  entry.button.addEventListener('click', () => remove(entry))
  entry.row.append(name, make('span', 's3file-size', size(file.size)), entry.bar, entry.label, entry.button)
  show(entry, 'chosen')
  return entry
}

const show = (entry, state, text) => {
  const { row, label, bar, button, file, percent = 0 } = entry
  entry.state = row.dataset.state = state
  label.textContent =
    text ?? { chosen: 'Chosen', waiting: 'Waiting', uploading: `Uploading ${percent} %`, uploaded: 'Uploaded' }[state]
  bar.hidden = !/ing$/.test(state)
  bar.value = percent
  button.textContent = bar.hidden ? 'Remove' : 'Cancel'
  set(button, 'aria-label', `${button.textContent} ${file.name}`)
}

// Ties what is wrong to the input; what the user has to correct goes to the browser's own validation.
const mark = ({ input, entries, described }) => {
  const wrong = entries.filter((entry) => entry.state === 'error')
  const refused = wrong.find((entry) => entry.refused)
  set(input, 'aria-describedby', [described, ...wrong.map((entry) => entry.label.id)].filter(Boolean).join(' '))
  set(input, 'aria-invalid', wrong.length && 'true')
  input.setCustomValidity(refused ? `${refused.file.name}: ${refused.refused}` : '')
}

const fail = (entry, code, text, message = text) => {
  const { picker, file } = entry
  show(entry, 'error', `Needs attention: ${text}`)
  mark(picker)
  if (picker.input.form) alarm(picker.input.form, `${file.name}: ${text}`)
  emit(entry, 'error', { code, message, sentence: text })
}

// The checks that need no server; the server makes them again.
const refusal = ({ file, picker: { input, entries } }, index) => {
  const { s3fMaxSize, s3fMaxCount } = input.dataset
  const accepted = input.accept.toLowerCase().split(/[\s,]+/).filter(Boolean)
  const type = file.type.toLowerCase()
  const fits = (part) =>
    part[0] === '.' ? file.name.toLowerCase().endsWith(part) : part.endsWith('/*') ? type.startsWith(part.slice(0, -1)) : type === part
  if (accepted.length && !accepted.some(fits)) return ['Type', `Not an accepted type. Accepted: ${accepted.join(', ')}.`]
  if (file.size > s3fMaxSize) return ['EntityTooLarge', tooLarge(file, s3fMaxSize)]
  if (index >= s3fMaxCount) return ['Count', `Too many files: ${entries.length}, the limit is ${s3fMaxCount}.`]
  return []
}

// Brings the rows in line with the files the input holds.
const sync = (input) => {
  const picker = pickerOf(input)
  const { list, entries } = picker
  const files = [...input.files]
  for (const entry of entries) {
    if (files.includes(entry.file)) continue
    entry.gone = true
    entry.abort?.()
    entry.row.remove()
  }
  picker.entries = files.map((file) => entries.find((entry) => entry.file === file) ?? newEntry(picker, file))
  for (const [index, entry] of picker.entries.entries()) {
    const [code, text] = refusal(entry, index)
    const before = entry.refused
    entry.refused = text
    if (!entry.row.isConnected) list.append(entry.row)
    if (text && text !== before) fail(entry, code, text)
    if (!text && before) show(entry, 'chosen')
  }
  list.hidden = !files.length
  mark(picker)
}

// Takes one file out of the input. The focus was on its button: it goes to the next row, or back to the input.
const remove = (entry) => {
  const { file, row, picker: { input } } = entry
  const next = (row.nextElementSibling ?? row.previousElementSibling)?.querySelector('button') ?? input
  const focused = row.contains(document.activeElement)
  const rest = new DataTransfer()
  for (const other of input.files) if (other !== file) rest.items.add(other)
  input.files = rest.files
  sync(input)
  if (focused) next.focus()
  emit(entry, 'cancel')
  if (input.form) say(input.form, `Removed ${file.name}.`)
}

// MARK: one upload

const random = () =>
  btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(16)))).replace(/\+/g, '-').replace(/\//g, '_').slice(0, 22)

const bodyFor = ({ file, picker: { input } }) => {
  const body = new FormData()
  for (const { name, value } of input.attributes) {
    if (name.startsWith('data-fields-')) body.append(name.slice(12), name === 'data-fields-key' ? value.replace('${filename}', random) : value)
  }
  body.append('success_action_status', '201')
  body.append('Content-Type', file.type || 'application/octet-stream')
  body.append('file', file)
  return body
}

// One try. Resolves with the key; rejects with {code, message, again}.
const post = (entry) =>
  new Promise((resolve, reject) => {
    const request = new XMLHttpRequest()
    let watchdog
    const alive = (patience = STALL) => {
      clearTimeout(watchdog)
      watchdog = setTimeout(entry.abort, patience)
    }
    const refuse = (code, message, again) => reject({ code, message, again })
    entry.abort = () => request.abort()
    request.upload.onprogress = (event) => {
      alive()
      advance(entry, event)
    }
    request.onload = () => {
      const { status, responseXML } = request
      const text = (tag) => responseXML?.getElementsByTagNameNS('*', tag)[0]?.textContent
      const code = text('Code') ?? `${status}`
      if (status === 201 && text('Key')) resolve(text('Key'))
      else refuse(code, text('Message'), status >= 500 || code === 'RequestTimeout')
    }
    // All bytes are sent; the store may be silent while it writes them down.
    request.upload.onload = () => alive(SILENCE)
    request.onerror = request.onabort = () => refuse('NetworkError', '', true)
    request.onloadend = () => clearTimeout(watchdog)
    request.open('POST', entry.picker.input.dataset.url)
    request.overrideMimeType('application/xml')
    alive()
    request.send(bodyFor(entry))
  })

// Until the time is over, or while the network is away until it is back.
const pause = (entry, ms) =>
  new Promise((resolve) => {
    entry.abort = resolve
    if (navigator.onLine) setTimeout(resolve, ms)
    else addEventListener('online', resolve, { once: true })
    show(entry, 'waiting', navigator.onLine ? `Trying again in ${Math.ceil(ms / 1000)} s` : 'Waiting for the network')
  })

const upload = async (entry) => {
  const { file, picker } = entry
  let failure
  moving.add(entry)
  addEventListener('beforeunload', stay)
  emit(entry, 'start')
  for (let attempt = 1; !entry.gone; attempt++) {
    entry.loaded = entry.percent = 0
    show(entry, 'uploading')
    failure = await post(entry).then((key) => void (entry.key = key), (error) => error)
    if (!failure || entry.gone) break
    if (!(await file.slice(0, 1).arrayBuffer().catch(() => 0))) failure = { code: 'Unreadable' }
    if (!failure.again || (attempt >= TRIES && navigator.onLine)) break
    await pause(entry, 500 * 2 ** Math.min(attempt, TRIES) * (0.5 + Math.random()))
  }
  moving.delete(entry)
  if (!moving.size) removeEventListener('beforeunload', stay)
  if (entry.gone) return
  if (failure) return fail(entry, failure.code, sentence(failure, entry), failure.message)
  entry.loaded = file.size
  show(entry, 'uploaded')
  mark(picker)
  emit(entry, 'uploaded')
}

const stay = (event) => event.preventDefault()

const total = (entries) => {
  let loaded = 0
  let total = 0
  for (const entry of entries) {
    loaded += entry.loaded
    total += entry.file.size
  }
  return { progress: total && loaded / total, loaded, total }
}

const advance = (entry, originalEvent) => {
  const { file, picker: { input, entries } } = entry
  const { form } = input
  entry.loaded = Math.min(originalEvent.loaded, file.size)
  const own = total([entry])
  // That all of it has arrived is for the storage to say.
  const percent = Math.min(99, Math.floor(100 * own.progress))
  if (percent !== entry.percent) {
    entry.percent = percent
    show(entry, 'uploading')
  }
  emit(entry, 'progress', own)
  if (!form) return
  // As django-s3file sends it, to the input and to the form.
  const current = { currentFile: file, currentFileName: file.name, currentFileProgress: own.progress, originalEvent }
  const tell = (target, entries) =>
    target.dispatchEvent(new CustomEvent('progress', { detail: { ...total(entries), ...current } }))
  tell(input, entries)
  tell(form, entriesOf(form))
  const state = stateOf(form)
  const quarter = Math.floor(total(entriesOf(form)).progress * 4) * 25
  if (quarter > state.quarter && quarter < 100) say(form, `${(state.quarter = quarter)} % uploaded.`)
}

// MARK: the form

const uploadAll = async (form) => {
  const todo = entriesOf(form).filter((entry) => entry.state !== 'uploaded')
  const refused = todo.find((entry) => entry.refused)
  if (refused) return alarm(form, `${refused.file.name}: ${refused.refused}`)
  for (const entry of todo) show(entry, 'waiting')
  stateOf(form).quarter = 0
  say(form, todo.length > 1 ? `Uploading ${todo.length} files.` : `Uploading ${todo[0].file.name}.`)
  // Files that are chosen meanwhile are taken along.
  const lane = async () => {
    for (;;) {
      const next = entriesOf(form).find((entry) => !moving.has(entry) && /^(chosen|waiting)$/.test(entry.state))
      if (!next) return
      await upload(next)
    }
  }
  await Promise.all(Array.from({ length: PARALLEL }, lane))
  const all = entriesOf(form)
  const failed = all.filter((entry) => entry.state !== 'uploaded').length
  if (failed) say(form, `${failed} of ${all.length} files could not be uploaded.`)
  else if (all.length) say(form, 'All files are uploaded. Sending the form.')
  // When every file was cancelled, nobody wants the form sent.
  return all.length && !failed
}

// First in line, so that every other listener sees one submit only: the one that carries the keys.
const onSubmit = async (event) => {
  const { target: form, submitter } = event
  const inputs = inputsOf(form)
  if (!inputs.length) return
  const state = stateOf(form)
  // By attribute: a control named "method" hides the property.
  state.plain = !/^post$/i.test(submitter?.getAttribute('formmethod') ?? form.getAttribute('method'))
  if (state.plain) return
  // A script may have put files there without a change event.
  inputs.forEach(sync)
  const ready = entriesOf(form).every((entry) => entry.state === 'uploaded')
  const twice = performance.now() - state.sent < 1000
  if (ready && !state.busy && !twice) return
  event.preventDefault()
  event.stopImmediatePropagation()
  state.submitter = submitter
  if (state.busy || (ready && twice)) return
  state.busy = true
  set(form, 'aria-busy', 'true')
  const sendable = await uploadAll(form).catch(reportError)
  state.busy = false
  set(form, 'aria-busy')
  if (!sendable || !form.isConnected) return
  HTMLFormElement.prototype.requestSubmit.call(form, state.submitter?.form === form ? state.submitter : null)
}

// Whoever asks for the form's data, the browser or a script, gets keys in place of files.
const onFormData = ({ target: form, formData }) => {
  if (forms.get(form)?.plain) return
  for (const input of inputsOf(form)) {
    const { name, dataset } = input
    if (!name) continue
    const others = formData.getAll(name).filter((value) => !(value instanceof File))
    formData.delete(name)
    for (const value of others) formData.append(name, value)
    formData.append('s3file', name)
    formData.append(`${name}-s3f-signature`, dataset.s3fSignature ?? '')
    for (const { state, key, file } of pickerOf(input).entries) {
      // No key: whoever takes the data without waiting for the upload is told so by the server, by the file's name.
      formData.append(name, state === 'uploaded' ? key : '')
      formData.append(`${name}-s3f-name`, file.name)
    }
  }
}

// MARK: <s3file-status src="/s3file/uploads/…?token=…">

const STEPS = ['Queued', 'Moving', 'Stored']

class S3FileStatus extends HTMLElement {
  connectedCallback() {
    this.live = new AbortController()
    this.poll(this.live.signal)
  }

  disconnectedCallback() {
    this.live.abort()
  }

  async poll(signal) {
    this.delay = 1000
    while (!signal.aborted && (document.hidden || !(await this.look(signal)))) {
      await new Promise((resolve) => setTimeout(resolve, this.delay))
      this.delay = Math.min(5000, this.delay * 1.4)
    }
  }

  // True when there is nothing left to wait for. The browser revalidates by ETag and hides the 304.
  async look(signal) {
    const response = await fetch(this.getAttribute('src'), { signal }).catch(() => 0)
    if (!response || response.status >= 500 || response.status === 429) return false
    const upload = response.ok && (await response.json().catch(() => 0))
    if (response.ok) return upload ? this.show(upload) : false
    this.dataset.state = 'unknown'
    this.append(make('p', 's3file-state', 'This upload cannot be shown. Reload the page.'))
    return true
  }

  // The parts are made once and changed in place, so that a live region speaks of what changed only.
  parts(upload) {
    const steps = make('ol', 's3file-steps')
    for (const step of STEPS) steps.append(make('li', 's3file-step', step))
    const name = nameOf({ name: upload.filename })
    const bar = barOf(name)
    const state = make('p', 's3file-state')
    set(state, 'role', 'status')
    this.replaceChildren(name, make('span', 's3file-size', size(upload.size)), steps, bar, state)
    return { name, steps, bar, state }
  }

  show(upload) {
    const { status, progress, error, attempt } = upload
    const { name, steps, bar, state } = (this.made ??= this.parts(upload))
    const changed = this.dataset.state !== status
    if (changed) this.delay = 1000
    this.dataset.state = status
    steps.hidden = true
    for (const step of steps.children) {
      const current = step.textContent.toLowerCase() === status
      set(step, 'aria-current', current && 'step')
      if (current) steps.hidden = false
    }
    bar.hidden = status !== 'moving'
    set(bar, 'max', progress?.total)
    set(bar, 'value', progress?.copied)
    const words =
      {
        queued: attempt && error ? `${error.message} It will be tried again.` : 'Waiting to be stored.',
        moving: 'Moving to its place.',
        stored: 'Stored.',
        failed: error?.message,
        cancelled: 'Cancelled.',
        expired: 'Not finished in time. Upload the file again.',
      }[status] ?? status
    if (state.textContent !== words) state.textContent = words
    if (upload.url && !name.firstElementChild) this.link(upload, name)
    if (changed) this.dispatchEvent(new CustomEvent('s3file:status', { bubbles: true, detail: upload }))
    return !/^(queued|moving)$/.test(status)
  }

  link({ url, filename, contentType, size }, name) {
    name.replaceChildren(Object.assign(make('a', 's3file-link', filename), { href: url, rel: 'noreferrer' }))
    if (!/^image\/(png|jpeg|gif|webp|avif)$/.test(contentType) || size > 5e6) return
    this.prepend(Object.assign(new Image(48, 48), { className: 's3file-preview', alt: '', src: url }))
  }
}

// MARK: start

if (!customElements.get('s3file-status')) {
  customElements.define('s3file-status', S3FileStatus)
  document.addEventListener('submit', onSubmit, true)
  document.addEventListener('formdata', onFormData)
  document.addEventListener('change', ({ target }) => target.matches(PICKER) && sync(target))
  document.addEventListener('reset', ({ target }) => setTimeout(() => inputsOf(target).forEach(sync)))
  // A submit that nobody stopped is on its way: its double click is not.
  addEventListener('submit', ({ target, defaultPrevented }) => {
    if (!defaultPrevented && forms.has(target)) forms.get(target).sent = performance.now()
  })
  // At the start, and when the page comes back from the cache: then it may be sent again.
  addEventListener('pageshow', () => {
    for (const input of document.querySelectorAll(PICKER)) {
      if (input.form) stateOf(input.form).sent = -1e9
      sync(input)
    }
  })
}
