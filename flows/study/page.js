"use strict";
const $ = (id) => document.getElementById(id);
const QUESTIONS = {
  paired: "Two pictures of one person appear for a second. Which of them is made by a computer?",
  unpaired: "A picture appears for a second. Is it a real photograph, or made by a computer (fake)?",
  emotion: "A face appears for a second. Which emotion does it show?",
};
let state = null, number = 0, preloaded = null, keys = {};
window.trace = [];

async function post(path, content) {
  const response = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(content ?? {}) });
  if (!response.ok) throw new Error(`${response.status}: ${(await response.json()).detail ?? "refused"}`);
  return response.json();
}

function buttons(options, chosen) {
  keys = {};
  $("choices").replaceChildren(...options.map(([key, text, value]) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = `${text} `;
    const hint = document.createElement("kbd");
    hint.textContent = key === " " ? "space" : key;
    button.append(hint);
    button.addEventListener("click", () => chosen(value));
    keys[key] = () => chosen(value);
    return button;
  }));
}

document.addEventListener("keydown", (event) => {
  const act = keys[event.key];
  if (act && !event.repeat) { event.preventDefault(); act(); }
});

async function preload(place) {
  const trial = state.trials[place];
  if (!trial) return [];
  return Promise.all(trial.pictures.map(async (name) => {
    const image = new Image(256, 256);
    image.src = `pictures/${name}`;
    image.alt = "";
    await image.decode();
    return image;
  }));
}

const nextFrame = () => new Promise((resolve) => requestAnimationFrame(resolve));

async function frameLength() {
  let last = await nextFrame();
  const lengths = [];
  for (let count = 0; count < 10; count += 1) { const now = await nextFrame(); lengths.push(now - last); last = now; }
  return lengths.sort((a, b) => a - b)[5];
}

// Pictures are decoded before. They are hidden in the frame nearest to the asked time: a loop that waits until the time
// is over shows them one frame longer.
async function show(images) {
  $("stage").replaceChildren(...images);
  await Promise.all(images.map((image) => image.decode()));
  const frame = await frameLength();
  const began = await nextFrame();
  $("stage").classList.add("shown");
  let now = began;
  while (now - began < 1000 * state.seconds - frame / 2) now = await nextFrame();
  $("stage").classList.remove("shown");
  return now - began;
}

async function trial() {
  if (number >= state.trials.length) return finish();
  const tutorial = state.trials[number].tutorial, rest = state.trials.filter((each) => !each.tutorial).length;
  const done = number - (state.trials.length - rest);
  $("progress").textContent = tutorial ? "tutorial" : `${done + 1} of ${rest}`;
  $("choices").replaceChildren();
  keys = {};
  $("say").textContent = "";
  const images = await preloaded;
  const shown = await show(images);
  window.trace.push(shown);
  const asked = performance.now();
  preloaded = preload(number + 1);
  $("say").textContent = QUESTIONS[document.body.dataset.kind];
  const arrows = { left: "ArrowLeft", right: "ArrowRight" };
  buttons(state.choices.map((choice, index) => [arrows[choice] ?? String(index + 1), choice, choice]), async (choice) => {
    keys = {};
    $("choices").replaceChildren();
    try {
      const told = await post("answers", { subject: state.subject, number, answer: choice, shown_ms: shown, took_ms: performance.now() - asked });
      number += 1;
      if (!tutorial) return trial();
      $("say").textContent = told.right === choice ? "Right." : `No: ${told.right}.`;
      const over = number < state.trials.length && !state.trials[number].tutorial;
      buttons([[" ", over ? "begin: from here on nothing is told" : "next", null]], trial);
    } catch (error) {
      $("say").textContent = `The answer could not be kept (${error.message}). Reload to begin anew.`;
    }
    return undefined;
  });
  return undefined;
}

function finish() {
  $("stage").replaceChildren();
  $("choices").replaceChildren();
  $("progress").textContent = "";
  $("say").textContent = "That was all. Thank you.";
}

$("say").textContent = `${QUESTIONS[document.body.dataset.kind]} Ten examples come first. Nothing about you is kept but your answers.`;
buttons([[" ", "start", null]], async () => {
  keys = {};
  state = await post("subjects");
  preloaded = preload(0);
  trial();
});
