// The service worker that shows a notification and opens its link: nothing else. It answers no page's requests and keeps nothing.

/** What the node writes (src/push/mod.rs). */
interface Told {
  link: string;
  room: string;
}

/** What of a service worker's scope is used: TypeScript knows either pages or workers. */
interface Scope {
  registration: ServiceWorkerRegistration;
  navigator: { language: string };
  clients: { openWindow(url: string): Promise<unknown> };
  addEventListener(kind: "push", hear: (event: Waits & { data: { json(): unknown } | null }) => void): void;
  addEventListener(kind: "notificationclick", hear: (event: Waits & { notification: Notification }) => void): void;
}

interface Waits {
  waitUntil(done: Promise<unknown>): void;
}

const here = globalThis as unknown as Scope;

/** The page's words are larger than all of this. */
const WORDS: Record<string, string> = {
  de: "Ihr Anruf läuft weiter. Tippen Sie für Video, Bildschirm und Chat.",
  en: "Your call goes on. Tap to add video, screen and chat.",
  es: "Su llamada continúa. Toque para añadir vídeo, pantalla y chat.",
  fr: "Votre appel continue. Touchez pour ajouter vidéo, écran et chat.",
  pt: "Sua chamada continua. Toque para adicionar vídeo, tela e chat.",
  zh: "您的电话继续进行。点按即可添加视频、屏幕和聊天。",
};

function read(data: { json(): unknown } | null): Told | null {
  try {
    const told = data?.json() as Partial<Told> | null | undefined;
    const link = new URL(String(told?.link));
    return /^https?:$/.test(link.protocol) ? { link: link.href, room: String(told?.room ?? "") } : null;
  } catch {
    return null;
  }
}

here.addEventListener("push", (event) => {
  const told = read(event.data);
  // Browsers take a subscription away that shows nothing for a message, so that one without a link is shown, too.
  const title = told?.room || "Ringlift";
  const body = WORDS[here.navigator.language.slice(0, 2).toLowerCase()] ?? WORDS.en ?? "";
  event.waitUntil(here.registration.showNotification(title, { body, icon: "/icon.svg", tag: "ringlift", data: told?.link ?? null, requireInteraction: true }));
});

here.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const link: unknown = event.notification.data;
  if (typeof link === "string") event.waitUntil(here.clients.openWindow(link));
});

export {};
