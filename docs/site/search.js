// Finds entries that have every word of the question; a word in the title counts more than one in the text.
function found(question) {
    const words = question.toLowerCase().split(/\s+/).filter(Boolean);
    if (!words.length) return [];
    const ranked = [];
    for (const entry of entries) {
        const title = entry.title.toLowerCase(), text = entry.text.toLowerCase();
        let score = 0;
        for (const word of words) {
            const points = (title.includes(word) ? 10 : 0) + (text.includes(word) ? 1 : 0);
            if (!points) { score = 0; break; }
            score += points;
        }
        // Of equals the shorter title is the more general one.
        if (score) ranked.push([score - entry.title.length / 1000, entry]);
    }
    return ranked.sort((one, other) => other[0] - one[0]).slice(0, 20).map(([, entry]) => entry);
}

if (typeof document !== "undefined") {
    const box = document.getElementById("site-search"), list = document.getElementById("site-results");
    box.addEventListener("input", () => {
        const results = found(box.value);
        list.hidden = !box.value.trim();
        list.replaceChildren(...results.map(entry => {
            const item = document.createElement("li"), link = document.createElement("a"), start = document.createElement("p");
            link.href = box.dataset.root + entry.url;
            link.textContent = entry.title;
            start.textContent = entry.text.slice(0, 120);
            item.append(link, start);
            return item;
        }));
        if (!results.length) list.textContent = "Nothing found.";
    });
}
