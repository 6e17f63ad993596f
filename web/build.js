// Builds web/dist, which is committed and compiled into the program: `npm run build`.
import { build } from "esbuild";
import { copyFile, mkdir, rm } from "node:fs/promises";

/** The meeting's words but for the English ones, which are in its program. */
const languages = Object.fromEntries(["de", "es", "fr", "pt", "zh"].map((language) => [language, `src/i18n/${language}.ts`]));

await rm("dist", { recursive: true, force: true });
await mkdir("dist");
await build({
  entryPoints: { landing: "src/landing/main.ts", meeting: "src/meeting/main.ts", console: "src/console/main.ts", me: "src/me/main.ts", push: "src/push/main.ts", reader: "src/scan/camera.ts", scan: "src/scan/main.ts", language: "src/i18n/early.ts", ...languages },
  outdir: "dist",
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  // Strings as they are: what cannot be written in ASCII is half of some languages.
  charset: "utf8",
  // Its own file, which the meeting loads when somebody reads a code.
  external: ["/reader.js"],
  legalComments: "none",
});
const pages = ["landing", "meeting", "console", "me", "scan"];
await build({
  entryPoints: Object.fromEntries(pages.map((page) => [page, `src/${page}/${page}.css`])),
  outdir: "dist",
  bundle: true,
  minify: true,
  charset: "utf8",
  target: ["chrome123", "firefox120", "safari17.5"],
});
for (const page of pages) await copyFile(`src/${page}/${page}.html`, `dist/${page}.html`);
await copyFile("src/icon.svg", "dist/icon.svg");
