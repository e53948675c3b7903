
// MARK: what is seen and heard

const PICKER = 'input.s3file[type=file]'

// input → {input, list, entries, described}
const pickers = new WeakMap()
// form, or page → {status, alert, busy, sent, …}
const forms = new WeakMap()
let serial = 0

const set = (element, name, value) => (value ? element.setAttribute(name, value) : element.removeAttribute(name))

const make = (tag, className, textContent = '') => Object.assign(document.createElement(tag), { className, textContent })

const buttonOf = (className, onclick) => Object.assign(make('button', className), { type: 'button', onclick })

// What is seen, and for those who hear one button without its row, the file's name with it.
const label = (button, action, name) => {
  button.textContent = text(action)
  set(button, 'aria-label', text('named', { action: text(action), name }))
}

const nameOf = (name) => Object.assign(make('span', 's3file-name', name), { id: `s3file-${++serial}`, dir: 'auto' })

const barOf = (name) => {
  const bar = make('progress', 's3file-progress')
  set(bar, 'aria-labelledby', name.id)
  return bar
}

// Hidden from eyes only; by CSSOM, so that it needs neither the stylesheet nor an inline style.
const spoken = (role) => {
  const region = make('div', 's3file-spoken')
  set(region, 'role', role)
  region.style.cssText = 'position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)'
  return region
}

// Polite, at most one a second, and the last message always wins.
const speaker = (region) => {
  let words, timer
  return (message) => {
    words = message
    timer ||= setTimeout(() => {
      timer = 0
      region.textContent = words
    }, 1000)
  }
}

const pickerOf = (input) => {
  let picker = pickers.get(input)
  if (!picker) {
    const list = make('ul', 's3file-files')
    set(list, 'aria-label', text('files', { label: input.labels?.[0]?.textContent.trim() || input.name }))
    list.hidden = true
    pickers.set(input, (picker = { input, list, entries: [], described: input.getAttribute('aria-describedby') }))
  }
  if (!picker.list.isConnected) (input.closest('label') ?? input).after(picker.list)
  return picker
}

// Where an input's files are counted and told of: in its form. Inputs without one have the page in common.
const homeOf = ({ form }) => form ?? document.body

const inputsOf = (home) =>
  [...home.getRootNode().querySelectorAll(PICKER)].filter((input) => homeOf(input) === home && !input.matches(':disabled'))

const entriesOf = (home) => inputsOf(home).flatMap((input) => pickerOf(input).entries)

const stateOf = (home) => {
  let state = forms.get(home)
  if (!state) {
    state = { status: spoken('status'), alert: spoken('alert'), sent: -1e9 }
    state.say = speaker(state.status)
    forms.set(home, state)
  }
  if (!state.status.isConnected) home.append(state.status, state.alert)
  return state
}

const say = (input, words) => stateOf(homeOf(input)).say(words)

// A change is announced; the same words twice are not. What goes wrong at the same time is told together, or the last alone would be heard.
const alarm = (input, words) => {
  const state = stateOf(homeOf(input))
  if (!state.alarms) {
    state.alarms = new Set()
    state.alert.textContent = ''
    setTimeout(() => {
      state.alert.textContent = [...state.alarms].join(' ')
      state.alarms = null
    }, 50)
  }
  state.alarms.add(words)
}

const emit = ({ picker, file, key }, name, detail) =>
  picker.input.dispatchEvent(
    new CustomEvent(`s3file:${name}`, { bubbles: true, detail: { file, name: file.name, key, ...detail } }),
  )

const isMoving = ({ state }) => /ing$/.test(state)

// No form brings a file any more whose ticket has ended.
const isOver = ({ ends }) => ends < Date.now()

const newEntry = (picker, file) => {
  const name = nameOf(file.name)
  const entry = {
    picker,
    file,
    loaded: 0,
    row: make('li', 's3file-file'),
    bar: barOf(name),
    label: make('span', 's3file-state'),
    button: buttonOf('s3file-remove', () => remove(entry)),
  }
  entry.label.id = `${name.id}-state`
  entry.row.append(name, make('span', 's3file-size', size(file.size)), entry.bar, entry.label, entry.button)
  show(entry, 'chosen')
  return entry
}

// The states: chosen, waiting, uploading, retrying, uploaded, error.
const show = (entry, state, words = text(state)) => {
  const { row, bar, button, file } = entry
  entry.state = row.dataset.state = state
  entry.label.textContent = words
  bar.hidden = !isMoving(entry)
  if (state !== 'uploading') bar.value = 0
  set(bar, 'aria-valuetext', words)
  if (state !== 'error') entry.help?.remove()
  label(button, bar.hidden ? 'remove' : 'cancel', file.name)
}

// Ties what is wrong to the input; what the user has to correct goes to the browser's own validation.
const mark = ({ input, entries, described }) => {
  const wrong = entries.filter(({ state }) => state === 'error')
  const refused = wrong.find(({ refused }) => refused)
  set(input, 'aria-describedby', [described, ...wrong.map(({ label }) => label.id)].filter(Boolean).join(' '))
  set(input, 'aria-invalid', wrong.length && 'true')
  input.setCustomValidity(refused ? `${refused.file.name}: ${refused.refused}` : '')
}

const fail = (entry, sentence, failure) => {
  const { picker, file } = entry
  show(entry, 'error', text('attention', { text: sentence }))
  mark(picker)
  alarm(picker.input, `${file.name}: ${sentence}`)
  emit(entry, 'error', { message: sentence, ...failure, sentence })
}
