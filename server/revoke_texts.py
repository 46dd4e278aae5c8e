"""The words of the page on which a holder blocks a credential, in three languages."""

TEXTS: dict[str, dict[str, str]] = {
    "da": {
        "title": "Spær dit certifikat",
        "intro": "Har du mistet din nøgle, eller tror du, at andre bruger den? Her spærrer du dit"
        " certifikat, når som helst og uden nøglen. Brug nummeret og koden fra din kvittering.",
        "application": "Ansøgningens nummer",
        "secret": "Spærrekode",
        "block": "Hvad vil du?",
        "suspend": "Spærre midlertidigt",
        "revoke": "Spærre for altid",
        "cause": "Hvorfor?",
        "key-lost": "Jeg har mistet nøglen",
        "compromise-suspected": "Andre kan have fået fat i den",
        "not-needed": "Jeg bruger det ikke mere",
        "send": "Spær",
        "done": "Certifikatet er spærret. Ingen kan bruge det nu.",
        "wrong": "Nummer og kode hører ikke sammen. Intet er ændret. Ring til os, hvis du ikke har"
        " koden.",
        "malformed": "Det, du sendte, kunne ikke læses. Udfyld felterne igen.",
        "busy": "Der er mange forkerte forsøg lige nu. Prøv igen om et minut.",
        "lift": "En midlertidig spærring ophæves kun, når du viser, hvem du er.",
    },
    "sv": {
        "title": "Spärra ditt certifikat",
        "intro": "Har du tappat din nyckel, eller tror du att andra använder den? Här spärrar du"
        " ditt certifikat, när som helst och utan nyckeln. Använd numret och koden på ditt kvitto.",
        "application": "Ansökans nummer",
        "secret": "Spärrkod",
        "block": "Vad vill du göra?",
        "suspend": "Spärra tillfälligt",
        "revoke": "Spärra för alltid",
        "cause": "Varför?",
        "key-lost": "Jag har tappat nyckeln",
        "compromise-suspected": "Andra kan ha fått tag i den",
        "not-needed": "Jag använder det inte längre",
        "send": "Spärra",
        "done": "Certifikatet är spärrat. Ingen kan använda det nu.",
        "wrong": "Nummer och kod hör inte ihop. Ingenting har ändrats. Ring oss om du inte har"
        " koden.",
        "malformed": "Det du skickade kunde inte läsas. Fyll i fälten igen.",
        "busy": "Det är många felaktiga försök just nu. Försök igen om en minut.",
        "lift": "En tillfällig spärr hävs bara när du visar vem du är.",
    },
    "en": {
        "title": "Block your certificate",
        "intro": "Have you lost your key, or do others use it? Here you block your certificate, at"
        " any hour and without the key. Use the number and the secret of your receipt.",
        "application": "Number of the application",
        "secret": "Revocation secret",
        "block": "What do you want?",
        "suspend": "Block it for the time being",
        "revoke": "Block it for good",
        "cause": "Why?",
        "key-lost": "I have lost the key",
        "compromise-suspected": "Others may have got hold of it",
        "not-needed": "I do not use it any more",
        "send": "Block",
        "done": "The certificate is blocked. Nobody can use it now.",
        "wrong": "Number and secret do not belong together. Nothing has changed. Call us if you do"
        " not have the secret.",
        "malformed": "What you sent could not be read. Fill in the fields again.",
        "busy": "There are many wrong attempts just now. Try again in a minute.",
        "lift": "A block for the time being is lifted only when you show who you are.",
    },
}
