"use strict";

const TEXTS = {
  en: {
    title: "Review", today: "Today", keys: "Keys", violation: "Violation", fine: "Fine", unsure: "Unsure",
    reason: "Reason, if you like", again: "Look again", yours: "Yours to judge", undo: "Undo",
    hint: "1 violation · 2 fine · 3 unsure · z undo · j k next, previous · r reason, Esc back",
    other: "日本語", otherLanguage: "ja",
    name: (chance, place, of) => `${chance} likely a violation · ${place} of ${of}`,
    unscored: (place, of) => `Not scored · ${place} of ${of}`,
    day: (mine, all, waiting) => `${mine} by you · ${all} by all · ${waiting} waiting`,
    about: (received, flagged) => `Received ${received}${flagged ? "" : " · not flagged: one of a sample"}`,
    loading: "One moment…", empty: "Nothing waits for you. Well done.",
    decided: { violation: "Violation recorded.", fine: "Fine recorded.", unsure: "Unsure recorded." },
    undone: "Undone: the post is yours again.",
    gone: "Another reviewer has this post, or your time for it has ended. Here are your posts now.",
    signIn: "You are signed out: load the page again to sign in.",
    failed: "The request failed. Your decision is not recorded yet: try again.",
  },
  ja: {
    title: "投稿の審査", today: "今日", keys: "キー操作", violation: "違反", fine: "問題なし", unsure: "保留",
    reason: "理由（任意）", again: "もう一度確認", yours: "担当の投稿", undo: "元に戻す",
    hint: "1 違反 · 2 問題なし · 3 保留 · z 元に戻す · j k 次・前 · r 理由、Escで戻る",
    other: "English", otherLanguage: "en",
    name: (chance, place, of) => `違反の可能性 ${chance} · ${of}件中${place}件目`,
    unscored: (place, of) => `未採点 · ${of}件中${place}件目`,
    day: (mine, all, waiting) => `あなた ${mine}件 · 全員 ${all}件 · 待ち ${waiting}件`,
    about: (received, flagged) => `受信 ${received}${flagged ? "" : " · フラグなし（標本）"}`,
    loading: "お待ちください…", empty: "待っている投稿はありません。おつかれさまでした。",
    decided: { violation: "違反と記録しました。", fine: "問題なしと記録しました。", unsure: "保留と記録しました。" },
    undone: "元に戻しました。もう一度判断できます。",
    gone: "ほかの担当者が審査しているか、時間切れです。いまの担当の投稿を表示します。",
    signIn: "サインインが切れました。ページを読み込み直してください。",
    failed: "送信できませんでした。まだ記録されていません。もう一度お試しください。",
  },
};
const KEYS = { 1: "violation", v: "violation", 2: "fine", f: "fine", 3: "unsure", u: "unsure" };
const AT_ONCE = 10;
const FEW = 3;

const part = (id) => document.getElementById(id);
const verdicts = [...document.querySelectorAll("[data-verdict]")];
const remembered = (name) => { try { return localStorage.getItem(name); } catch { return null; } };
const remember = (name, value) => { try { localStorage.setItem(name, value); } catch { /* the page works without */ } };

let language = remembered("language") || (navigator.language.startsWith("ja") ? "ja" : "en");
let keys = remembered("keys") !== "off";
let posts = [];
let place = 0;
let done = [];
let statistics = null;
let busy = false;
let loaded = false;
// Requests run one after the other: taking posts renews every lease, including that of a running decision.
let line = Promise.resolve();

const locale = () => (navigator.language.startsWith(language) ? navigator.language : language);
const say = (name) => TEXTS[language][name];
const inLine = (work) => { line = line.then(work).catch(fail); return line; };

class Refused extends Error {
  constructor(status) { super(String(status)); this.status = status; }
}

async function ask(path, body) {
  const answer = await fetch(path, body === undefined ? {} : {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Refused(answer.status);
  return answer.json();
}

function fail(fault) {
  const alert = part("alert");
  alert.textContent = fault instanceof Refused && fault.status === 401 ? say("signIn") : say("failed");
  alert.hidden = false;
  show();
}

function chance(post) {
  if (post.probability === null) return "–";
  return new Intl.NumberFormat(locale(), { style: "percent", maximumFractionDigits: 0 }).format(post.probability);
}

function translate() {
  document.documentElement.lang = language;
  document.title = say("title");
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = say(element.dataset.text);
  part("language").textContent = say("other");
  part("language").lang = say("otherLanguage");
  part("keys").setAttribute("aria-pressed", String(keys));
  document.body.classList.toggle("keys-off", !keys);
}

function show() {
  const post = posts[place];
  part("details").hidden = !post;
  part("again").hidden = Boolean(post) || !loaded;
  part("undo").disabled = done.length === 0;
  for (const button of verdicts) button.setAttribute("aria-disabled", String(busy));
  if (post) {
    part("current-name").textContent = post.probability === null
      ? say("unscored")(place + 1, posts.length) : say("name")(chance(post), place + 1, posts.length);
    part("meter").style.width = `${(post.probability ?? 0) * 100}%`;
    if (part("text").textContent !== post.text) {
      part("text").textContent = post.text;
      part("text").scrollTop = 0;
    }
    const received = new Intl.DateTimeFormat(locale(), { dateStyle: "medium", timeStyle: "short" })
      .format(new Date(post.received));
    part("about").textContent = say("about")(received, post.flagged);
  } else {
    part("text").textContent = "";
    part("current-name").textContent = say(loaded ? "empty" : "loading");
  }
  const focused = [...part("list").querySelectorAll("button")].indexOf(document.activeElement);
  part("list").replaceChildren(...posts.map(row));
  if (focused >= 0) (part("list").querySelectorAll("button")[focused] ?? part("current")).focus();
  if (statistics) {
    const sum = (counts) => counts.violation + counts.fine + counts.unsure;
    const all = sum(statistics.everybody);
    const waiting = `${statistics.waiting}${statistics.waiting_more ? "+" : ""}`;
    part("day-numbers").textContent = say("day")(sum(statistics.mine), all, waiting);
    part("progress").max = Math.max(1, all + statistics.waiting);
    part("progress").value = all;
  }
}

function row(post, number) {
  const item = document.createElement("li");
  const button = document.createElement("button");
  const likely = document.createElement("span");
  const text = document.createElement("span");
  button.type = "button";
  likely.className = "chance";
  likely.textContent = chance(post);
  text.className = "line";
  text.dir = "auto";
  text.textContent = post.text.slice(0, 120);
  button.append(likely, text);
  if (number === place) button.setAttribute("aria-current", "true");
  button.addEventListener("click", () => go(number));
  item.append(button);
  return item;
}

function go(number) {
  if (busy || number < 0 || number >= posts.length) return;
  place = number;
  part("reason").value = "";
  show();
  part("current").focus();
}

function announce(message) {
  part("status").textContent = `${message} ${part("current-name").textContent}`;
}

async function take() {
  const current = posts[place]?.post;
  posts = (await ask("/v1/reviews/take", { count: AT_ONCE })).posts;
  place = Math.max(0, posts.findIndex((post) => post.post === current));
  loaded = true;
  show();
}

async function count() {
  statistics = await ask("/v1/reviews/statistics");
  show();
}

async function gone() {
  part("alert").textContent = say("gone");
  part("alert").hidden = false;
  await take();
}

function decide(verdict) {
  const post = posts[place];
  if (busy || !post) return;
  busy = true;
  part("alert").hidden = true;
  show();
  inLine(async () => {
    // The current lease, because a renewal replaces it.
    const { lease } = posts.find((one) => one.post === post.post) ?? post;
    try {
      const decided = await ask(`/v1/reviews/${post.post}/decide`, { lease, verdict, reason: part("reason").value });
      done.push({ post: post.post, decision: decided.decision });
      posts = posts.filter((one) => one.post !== post.post);
      place = Math.min(place, Math.max(0, posts.length - 1));
      part("reason").value = "";
    } catch (fault) {
      if (!(fault instanceof Refused) || ![404, 409].includes(fault.status)) throw fault;
      await gone();
      return;
    } finally {
      busy = false;
    }
    show();
    part("current").focus();
    announce(say("decided")[verdict]);
    if (posts.length <= FEW) inLine(take);
    inLine(count);
  });
}

function undo() {
  const latest = done.at(-1);
  if (busy || !latest) return;
  busy = true;
  part("alert").hidden = true;
  show();
  inLine(async () => {
    try {
      const post = await ask(`/v1/reviews/${latest.post}/undo`, { decision: latest.decision });
      done.pop();
      posts = [post, ...posts.filter((one) => one.post !== post.post)];
      place = 0;
    } catch (fault) {
      if (!(fault instanceof Refused) || ![404, 409].includes(fault.status)) throw fault;
      done.pop();
      await gone();
      return;
    } finally {
      busy = false;
    }
    show();
    part("current").focus();
    announce(say("undone"));
    inLine(count);
  });
}

// Ignores the second click of a double click, which would decide on the next post.
const once = (work) => (event) => { if (event.detail <= 1) work(); };
for (const button of verdicts) button.addEventListener("click", once(() => decide(button.dataset.verdict)));
part("undo").addEventListener("click", once(undo));
part("again").addEventListener("click", once(() => { inLine(take); inLine(count); }));
part("language").addEventListener("click", () => {
  language = language === "ja" ? "en" : "ja";
  remember("language", language);
  translate();
  show();
});
part("keys").addEventListener("click", () => {
  keys = !keys;
  remember("keys", keys ? "on" : "off");
  translate();
});
document.addEventListener("keydown", (event) => {
  if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target === part("reason")) {
    if (event.key === "Escape" || event.key === "Enter") part("current").focus();
    return;
  }
  if (!keys || event.repeat) return;
  const key = event.key.toLowerCase();
  if (KEYS[key]) decide(KEYS[key]);
  else if (key === "z") undo();
  else if (key === "j") go(place + 1);
  else if (key === "k") go(place - 1);
  else if (key === "r" && posts[place]) part("reason").focus();
  else return;
  event.preventDefault();
});

translate();
show();
inLine(take);
inLine(count);
