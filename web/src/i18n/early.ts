// Loaded beside the page's program, and smaller: asks for the words of this browser's language while that is still on its way.

import { current } from "./core.js";

const language = current();
const file = `/${language}.js`;
if (language !== "en") import(file).catch(() => undefined);
