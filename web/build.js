// Builds web/dist, which is committed and compiled into the program: `npm run build`.
import { build } from "esbuild";
import { copyFile, mkdir, rm } from "node:fs/promises";

await rm("dist", { recursive: true, force: true });
await mkdir("dist");
await build({
  entryPoints: { app: "src/main.ts" },
  outdir: "dist",
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  legalComments: "none",
});
await build({ entryPoints: ["src/app.css"], outdir: "dist", minify: true, target: ["chrome123", "firefox120", "safari17.5"] });
await copyFile("src/index.html", "dist/index.html");
await copyFile("src/icon.svg", "dist/icon.svg");
