"""Sample posts of a parenting community, labelled for moderation: 1 is a violation, 0 is not.

Every text comes out of the grammar below, so that a rehearsal downloads nothing. Names, schools, addresses, telephone
numbers (all in 000-0000-XXXX) and domains (all example.com) are invented.

The classes share their words on purpose: parents ask how to turn down an invitation to sell, quote an insult that
they received, or recommend what they bought, while violations come politely, indirectly, or at the end of an
honest question.
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

VIOLATION_SHARE: Final = 0.17
MISSED_VIOLATION_RATE: Final = 0.06
"""Share of violations that carry the label 0, as annotators overlook some."""
FALSE_ALARM_RATE: Final = 0.01
"""Share of harmless posts that carry the label 1, as annotators misread some."""
SHORTEST_TEXT: Final = 10
LONGEST_TEXT: Final = 400

# `{slot}` is replaced by one of the slot's options, `[polite|casual]` by the side of the post's register.
_SOLICITATIONS: Final[Sequence[str]] = (
    "スマホだけで{income}稼げる{scheme}を紹介してい[ます|るよ]。興味のある方は{channel}[ください|ちょうだい]！",
    "{scheme}で{income}にな[りました|った]。やり方を知りたい人は{account}まで{channel}[ください|して]。",
    "今だけ{ware}が半額[です|]！{site} から注文でき[ます|るよ]。",
    "同じ悩みの方、{ware}でよくな[ります|るよ]。私のお店で買え[ます|る]。{site}",
    "一緒に{scheme}をやるママを{two_to_nine}人だけ募集してい[ます|る]。{channel}で説明[します|する]ね。",
    "{scheme}の無料説明会があ[ります|る]。席が残りわずかなので{channel}で連絡[ください|して]。",
    "LINE ID：{account} 追加してくれた方に{ware}を無料でプレゼントし[ます|ちゃう]。",
    "勧誘ではないので安心して[ください|]。{income}の収入ができて、子どもとの時間が増え[ました|た]。詳しくは{account}へ。",
    "{ware}の会員になると紹介するだけで{income}入[ります|る]。先着{two_to_nine}名[です|]。",
    "プロフィールのリンクから登録すると{two_to_nine}000円もらえ[ます|る]。{site}",
)
_INDIRECT_SOLICITATIONS: Final[Sequence[str]] = (
    "私も同じ悩みがあ[りました|った]が、ある方に出会って生活が変わ[りました|った]。知りたい方はこっそり{channel}[ください|して]。",
    "もしご迷惑でなければ、私が助けられた{ware}のお話をさせて[ください|]。{channel}をお待ちしてい[ます|る]。",
    "お金の不安がなくなると育児も楽にな[ります|る]よ。気になる方にだけ、やり方をお伝えしてい[ます|る]。",
    "{partner}の給料に頼らない方法を学んでい[ます|る]。仲間が増えたらうれしい[です|な]。連絡は{account}へ。",
    "興味のある方にだけ、そっとお教え[します|する]ね。プロフィールをご覧[ください|になって]。",
    "ここには書けない[のですが|けど]、{ware}のおかげで{two_to_nine}日で変わ[りました|った]。個別にお話し[します|する]ね。",
    "同じ気持ちのママたちと小さな集まりをしてい[ます|る]。お金の勉強もでき[ます|る]。よければ{channel}で声をかけて[ください|]。",
    "紹介制なので人数は限られ[ます|る]が、空いた時間で{income}になる方が多い[です|]。お気軽に[どうぞ|ね]。",
    "私が作っている{ware}、使ってくれる方を探してい[ます|る]。{site} をのぞいてみて[ください|]。",
)

_PERSONAL_DATA: Final[Sequence[str]] = (
    "{classroom}の{surname}{given}{suffix}が{kid}をいじめてい[ます|る]。みんな気をつけて[ください|]。",
    "{surname}{given}とい[います|う]。電話は{phone}[です|]。連絡[ください|ちょうだい]。",
    "{kid}をたたいた子の家は{address}[です|]。親は{surname}さん[です|]。",
    "{school}の{surname}先生の携帯は{phone}[です|]。みんなで抗議し[ましょう|よう]。",
    "うちは{address}[です|]。近くの方、遊びに来て[ください|]ね。",
    "{kid}の名前は{surname}{given}、{school}に通ってい[ます|る]。下校は{hour}ごろ一人[です|]。",
    "{acquaintance}の{surname}さん、{address}に住んでいて{partner}と別居中だそう[です|]。",
    "返信はメール（{mail}）か{phone}に[お願いします|ちょうだい]。住所は{address}[です|]。",
    "おさがりをお譲り[します|する]。{address}まで取りに来られる方、{phone}へ。",
)
_INDIRECT_PERSONAL_DATA: Final[Sequence[str]] = (
    "{school}の{surname}さんって、先月離婚されたそう[です|]ね。お子さんは{given}{suffix}[です|]。",
    "{kid}は{classroom}、{surname}といえばわかると思[います|う]。声をかけて[ください|]ね。",
    "{place}駅前の赤い屋根が我が家[です|]。{hour}まで{kid}が一人で留守番してい[ます|る]。",
    "お急ぎの方は{phone}にどうぞ。{surname}と申[します|す]。",
    "{given}{suffix}のママ、{surname}さんの勤め先は{place}クリニック[です|]よ。",
)

_ABUSE: Final[Sequence[str]] = (
    "そんなことで悩むなんて{insult}[です|]ね。",
    "あなたみたいな人が親だなんて{insult}。",
    "お前は{insult}。二度と書き込むな。",
    "{insult}。子どもを産む前に考え[ましょう|ろ]。",
    "読んでて吐き気が[します|する]。{insult}にもほどがあ[ります|る]。",
    "バカじゃないの[ですか|]。{insult}だと気づいて[ください|]。",
    "そのくらい自分で調べろ。{insult}。",
    "どこの誰か調べてあ[ります|る]。園まで行[きます|くからな]。",
    "このままで済むと思わないで[ください|]。必ず見つけ[ます|る]。",
    "お前の{kid}がどうなっても知らないぞ。",
    "うるさい。消え[てください|ろ]。",
    "こんな親に育てられる子が気の毒[です|]。さっさと手放し[てください|たら]？",
    "{your_partner}に捨てられて当然[です|]。{insult}。",
    "死ぬほどどうでもいい[です|]。{insult}の相談は迷惑[です|]。",
)
_INDIRECT_ABUSE: Final[Sequence[str]] = (
    "そんなことも知らずに産んだん[ですね|だ]。ご立派[です|]こと。",
    "お子さん、お母さんを選べなくてお気の毒[です|]。",
    "ご自分のことがそんなに大事なら、産まなければよかった[のでは|のに]。",
    "普通の人は言われなくてもわか[ります|る]よ。普通の人なら[です|]けど。",
    "きっとご両親もそういう方だったん[でしょうね|だろうね]。",
    "その程度で疲れるなら、親に向いてい[ません|ない]よ。",
    "失礼ながら、書き込む暇があるならお子さんの相手をなさったら[いかがですか|どう]。",
    "お宅の場所、だいたい見当がつ[きました|いた]。夜道にはお気をつけて。",
    "よくそれで人前に出られ[ますね|るね]。感心[します|する]。",
)

_SLOTS: Final[Mapping[str, Sequence[str]]] = {
    "digit": tuple("0123456789"),
    "two_to_nine": tuple("23456789"),
    "months": ("2ヶ月", "3ヶ月", "4ヶ月", "5か月", "6ヶ月", "7ヶ月", "8か月", "9ヶ月", "10ヶ月", "11ヶ月", "1歳1ヶ月"),
    "years": ("1歳", "1歳半", "2歳", "2歳半", "3歳", "4歳", "5歳", "年少", "年中", "年長", "小1", "小2", "小3", "小4"),
    "age": ("{months}", "{years}", "{years}", "もうすぐ{two_to_nine}歳", "{two_to_nine}歳になったばかり"),
    "kid": (
        "息子",
        "娘",
        "子ども",
        "男の子",
        "女の子",
        "長男",
        "長女",
        "次男",
        "次女",
        "末っ子",
        "双子",
        "上の子",
        "下の子",
    ),
    "who": ("{age}の{kid}", "{kid}", "{age}になる{kid}", "うちの{kid}", "{kid}（{age}）", "我が家の{kid}"),
    "partner": ("夫", "主人", "旦那", "パートナー", "妻", "だんなさん"),
    "your_partner": ("ご主人", "旦那さん", "パートナーの方", "ご家族"),
    "elder": ("義母", "実母", "義父", "お姑さん", "祖母", "義両親", "実家の母"),
    "acquaintance": (
        "ママ友",
        "職場の先輩",
        "同じマンションの人",
        "児童館で会った方",
        "昔の同級生",
        "近所の方",
        "PTAの役員さん",
        "支援センターで知り合ったママ",
        "園のお母さん",
        "妹の友人",
    ),
    "span": (
        "3日前",
        "先週",
        "先月",
        "ここ数日",
        "今月に入って",
        "春",
        "保育園に通い始めて",
        "昨日の夜",
        "半年前",
        "生まれて",
    ),
    "often": ("毎日", "毎晩", "ほぼ毎日", "週に{two_to_nine}回くらい", "最近ずっと", "気がつくと", "しょっちゅう"),
    "hour": ("夜9時", "22時", "深夜2時", "朝4時", "19時半", "夕方5時", "0時過ぎ", "明け方"),
    "temperature": ("37.{digit}度", "38.{digit}度", "39.{digit}度", "38度台", "微熱"),
    "feeling": (
        "つらい[です|]",
        "しんどい[です|]",
        "心配[です|]",
        "不安[です|]",
        "疲れ[ました|た]",
        "泣けてき[ます|た]",
        "モヤモヤしてい[ます|る]",
        "途方に暮れてい[ます|る]",
        "限界[です|かも]",
        "気が重い[です|]",
        "自信がなくなり[ました|そう]",
        "寝不足でふらふら[です|]",
    ),
    "opening": (
        "はじめまして。",
        "こんにちは。",
        "こんばんは。",
        "初めて投稿し[ます|てみる]。",
        "いつも参考にしてい[ます|る]。",
        "いつもお世話になってい[ます|る]。",
        "長文[です。|になる。]",
        "愚痴も入っていてすみません。",
        "{age}の{kid}を育ててい[ます|る]。",
        "{age}と{age}の{two_to_nine}人家族[です|]。",
        "ワンオペ育児中[です|]。",
        "共働き[です|の我が家]。",
        "育休中[です|]。",
        "質問[です|]。",
        "くだらない質問かもし[れません|れないけど]。",
        "ちょっと聞いて[ください|ほしい]。",
        "似た質問があったらすみません。",
        "相談させて[ください|]。",
        "専業主婦[です|]。",
        "フルタイムで働いてい[ます|る]。",
        "転勤で引っ越してきたばかり[です|]。",
        "シングルで育ててい[ます|る]。",
    ),
    "closing": (
        "よろしくお願い[します|]。",
        "アドバイスを[お願いします|ください]。",
        "経験談を聞かせて[ください|ほしい]。",
        "同じような方い[ませんか|ない]？",
        "みなさんはどうして[いますか|る]？",
        "読んでくださりありがとうございます。",
        "先輩ママさん、教えて[ください|]。",
        "励まして[ください|]。",
        "どんなことでもいいので[教えてください|教えて]。",
        "うちだけでしょうか。",
        "厳しいコメントはご遠慮[ください|願います]。",
        "お知恵を[貸してください|貸して]。",
        "お時間あるときに[お願いします|返信ください]。",
        "気にしすぎ[でしょうか|かな]。",
        "みんなそんなものなの[でしょうか|かな]。",
    ),
    "filler": (
        "{partner}に相談しても「大丈夫」しか言[いません|わない]。",
        "{elder}には「昔はこうだった」と言われ[ました|た]。",
        "ネットで調べても意見がばらばら[です|]。",
        "{partner}は出張が多く、ほとんど一人で見てい[ます|る]。",
        "正直{feeling}。",
        "{span}からずっとこんな感じ[です|]。",
        "仕事も休めず{feeling}。",
        "健診では様子を見ましょうと言われ[ました|た]。",
        "周りの子と比べてしまい{feeling}。",
        "{acquaintance}は気にしなくていいと言[います|う]。",
        "上の子のときは{years}で落ち着いたので、比べて{feeling}。",
        "{often}、私のほうが泣いてい[ます|る]。",
        "保健師さんにも聞いてみ[ました|た]。",
        "育児書は{two_to_nine}冊読[みました|んだ]。",
        "寝顔を見ると反省し[ます|てしまう]。",
        "先生にはまだ話してい[ません|ない]。",
    ),
    # What harmless posts and violations alike may hold.
    "phone": (
        "000-0000-{digit}{digit}{digit}{digit}",
        "０００-００００-{digit}{digit}{digit}{digit}",
        "0000000{digit}{digit}{digit}{digit}",
    ),
    "surname": ("架空田", "仮野", "見本山", "例川", "夢咲谷", "星待", "空想寺", "仮名井"),
    "given": ("はるまる", "みるく", "そらの", "ゆめた", "こもも", "りんぱ", "あおすけ", "ひなぽ", "れおと", "ももえる"),
    "suffix": ("くん", "ちゃん", "さん", "君"),
    "place": ("ひなたぼし", "つきみ森", "にじのしずく", "みほん", "ゆめさき台", "かくう町", "ほしまち", "どんぐり坂"),
    "school": (
        "{place}小学校",
        "{place}保育園",
        "{place}幼稚園",
        "{place}こども園",
        "{place}第{two_to_nine}小",
        "{place}学童",
    ),
    "classroom": (
        "{place}小学校{grade}年{grade}組",
        "{place}小の{grade}年{grade}組",
        "{place}保育園の{given}組",
        "{place}幼稚園年長の{grade}組",
    ),
    "grade": tuple("123456"),
    "address": (
        "架空県見本市{place}{two_to_nine}-{digit}-{two_to_nine}",
        "みほん市ゆめさき台{two_to_nine}丁目{two_to_nine}番地",
        "架空県{place}{two_to_nine}{digit}番地 コーポ例{two_to_nine}0{two_to_nine}",
        "見本区{place}{two_to_nine}の{two_to_nine}、{place}マンション{two_to_nine}0{digit}",
    ),
    "account": (
        "mama_{digit}{digit}{digit}_reirei",
        "happy-rei{digit}{digit}",
        "smile.mihon{digit}{digit}{digit}",
        "kakuu_{given}{digit}",
        "@rei_{digit}{digit}{digit}{digit}",
    ),
    "site": (
        "https://shop.example.com/{digit}{digit}{digit}",
        "www.example.com/mama{digit}",
        "https://example.com/lp/{digit}{digit}",
        "mihon{digit}.example.com",
    ),
    "mail": ("mihon{digit}{digit}@example.com", "rei.mama{digit}@example.com", "info{digit}@example.com"),
    "scheme": (
        "ネットワークビジネス",
        "在宅副業",
        "スマホだけの副業",
        "投資の勉強会",
        "美容サロンの代理店",
        "健康食品の紹介販売",
        "化粧品のモニター",
        "ママ起業塾",
        "FXの自動売買",
        "アロマのビジネス",
        "物販のコミュニティ",
        "浄水器の販売",
        "仮想通貨のグループ",
        "サプリの会員",
        "権利収入の仕組み",
        "洗剤のビジネス",
    ),
    "ware": (
        "酵素ドリンク",
        "サプリ",
        "知育教材",
        "浄水器",
        "手作りスタイ",
        "抱っこ紐",
        "オーガニック洗剤",
        "青汁",
        "英語教材",
        "アロマオイル",
        "骨盤ベルト",
        "ベビーオイル",
        "木のおもちゃ",
        "ハーブティー",
        "寝かしつけ絵本",
        "プロテイン",
        "美容液",
        "鼻水吸引器",
        "布おむつ",
        "スリーパー",
    ),
    "income": (
        "月{two_to_nine}万円",
        "月収{two_to_nine}0万",
        "日給{two_to_nine}万円",
        "1日{two_to_nine}0分で月{two_to_nine}万",
        "お小遣い程度",
        "パート代くらい",
        "本業以上",
    ),
    "channel": ("LINE", "ライン", "DM", "インスタのDM", "メッセージ", "公式LINE", "個別チャット", "カカオ", "メール"),
    "insult": (
        "母親失格",
        "親の資格なし",
        "頭がおかしい",
        "バカ親",
        "毒親",
        "最低の親",
        "無能",
        "甘えすぎ",
        "ただの怠け者",
        "子どもがかわいそう",
        "非常識",
        "ゴミ親",
    ),
    "abuse": (*_ABUSE, *_INDIRECT_ABUSE),
    "offer": (*_SOLICITATIONS, *_INDIRECT_SOLICITATIONS),
}

# One topic is what happens, what was tried, and what is asked.
_Topic = tuple[Sequence[str], Sequence[str], Sequence[str]]
_TOPICS: Final[Sequence[_Topic]] = (
    (  # sleep
        (
            "{who}が{hour}まで寝て[くれません|くれない]。",
            "{who}の夜泣きがひどく、{often}{hour}に起き[ます|る]。",
            "昼寝を{two_to_nine}時間するせいか、夜は{hour}でも元気[です|]。",
            "寝かしつけに{two_to_nine}0分かか[ります|る]。",
            "抱っこでないと寝ず、置くと必ず泣[きます|く]。",
        ),
        (
            "ルーティンは{span}から続けてい[ます|る]。",
            "ホワイトノイズも試し[ました|た]。",
            "絵本を{two_to_nine}冊読むようにしてい[ます|る]。",
            "お風呂の時間を早め[ました|た]。",
        ),
        (
            "昼寝は短くしたほうがいい[でしょうか|かな]？",
            "ねんねトレーニングはどう[でしたか|だった]？",
            "何時ごろに寝かせて[いますか|る]？",
            "夜間断乳で変わ[りましたか|った]？",
        ),
    ),
    (  # weaning
        (
            "{who}が離乳食を{two_to_nine}口しか食べ[ません|ない]。",
            "{who}の離乳食、おかゆをべーっと出し[ます|ちゃう]。",
            "手づかみ食べで床が{often}大変なことになってい[ます|る]。",
            "卵を食べたら口の周りが赤くなった気が[します|する]。",
            "{who}が野菜を{often}残[します|す]。",
        ),
        (
            "粒の大きさを変えてみ[ました|た]。",
            "ベビーフードなら少し食べ[ます|る]。",
            "スプーンを変えても同じ[でした|だった]。",
            "出汁をきかせてみ[ました|た]。",
        ),
        (
            "3回食にするのはまだ早い[でしょうか|かな]？",
            "いつごろからよく食べるようにな[りましたか|った]？",
            "おすすめの食材は[ありますか|ある]？",
            "小児科に行くべき[ですか|かな]？",
        ),
    ),
    (  # nursery
        (
            "{who}が{span}から登園を嫌が[ります|る]。",
            "来春の保育園、第{two_to_nine}希望まで書くか迷ってい[ます|る]。",
            "慣らし保育で{often}泣いてい[ます|る]。",
            "連絡帳に何を書けばいいのか悩[みます|む]。",
            "園で{two_to_nine}回も噛まれて帰ってき[ました|た]。",
            "{school}と少し遠い園とで迷ってい[ます|る]。",
        ),
        (
            "見学は{two_to_nine}か所行[きました|った]。",
            "市役所の窓口にも聞[きました|いた]。",
            "担任の先生には一度相談し[ました|た]。",
            "朝はなるべく早起きしてい[ます|る]。",
        ),
        (
            "泣いても笑顔で離れたほうがいい[でしょうか|の]？",
            "見学のポイントを[教えてください|教えて]。",
            "慣れるまでどのくらいかか[りましたか|った]？",
            "途中入園できた方は[いますか|いる]？",
        ),
    ),
    (  # fever
        (
            "{who}が{span}から{temperature}の熱[です|]。",
            "{temperature}あるのに本人は元気に遊んでい[ます|る]。",
            "薬を飲ませようとすると全部吐[きます|く]。",
            "発疹が{two_to_nine}か所に出てき[ました|た]。",
            "{who}の咳が{hour}になるとひどくな[ります|る]。",
        ),
        (
            "水分はとれてい[ます|る]。",
            "座薬は一度使[いました|った]。",
            "病院では風邪と言われ[ました|た]。",
            "電話相談では様子を見るように言われ[ました|た]。",
        ),
        (
            "明日まで様子を見てもいい[でしょうか|かな]？",
            "夜間救急に行く目安は何[ですか|]？",
            "薬の飲ませ方にコツは[ありますか|ある]？",
            "登園はいつからできる[でしょうか|かな]？",
        ),
    ),
    (  # school
        (
            "{who}が学校に行きたくないと言[います|う]。",
            "宿題に{often}{two_to_nine}0分以上かか[ります|る]。",
            "友達に仲間はずれにされたと泣いて帰ってき[ました|た]。",
            "{who}の忘れ物が{often}続いてい[ます|る]。",
            "学童をやめたいと{span}から言ってい[ます|る]。",
            "担任の先生と合わないよう[です|]。",
        ),
        (
            "話はなるべく聞くようにしてい[ます|る]。",
            "面談では困っていないと言われ[ました|た]。",
            "一緒に持ち物表を作[りました|った]。",
            "休ませた日もあ[ります|る]。",
        ),
        (
            "無理に行かせないほうがいい[でしょうか|かな]？",
            "先生に何と伝えれば[いいでしょうか|いい]？",
            "スマホは何年生から持たせ[ましたか|た]？",
            "どこまで手伝って[いますか|る]？",
        ),
    ),
    (  # siblings
        (
            "上の子の赤ちゃん返りがひどい[です|]。",
            "{who}が下の子をたた[きます|く]。",
            "きょうだいげんかが{often}で耳が痛い[です|]。",
            "{two_to_nine}歳差の育児、お風呂の順番に悩[みます|む]。",
            "下の子ばかりかわいく思えて{feeling}。",
        ),
        (
            "二人きりの時間を作ってい[ます|る]。",
            "叱ると余計にひどくな[ります|る]。",
            "おもちゃは分けてい[ます|る]。",
            "上の子を優先してい[ます|るつもり]。",
        ),
        (
            "いつごろ落ち着[きましたか|いた]？",
            "どう声をかければいい[でしょうか|の]？",
            "二人目は何歳差がいい[ですか|かな]？",
            "仲裁は[しますか|する]？",
        ),
    ),
    (  # work and home
        (
            "育休明けに時短で戻[ります|る]。",
            "{partner}が家事を{often}やって[くれません|くれない]。",
            "子どもの熱で{two_to_nine}日休み、職場に申し訳ない[です|]。",
            "在宅勤務で{kid}を見ながらの仕事が{feeling}。",
            "仕事をやめるか{span}から悩んでい[ます|る]。",
            "扶養内のパートを探してい[ます|る]。",
        ),
        (
            "家事の分担表を作[りました|った]。",
            "病児保育は登録し[ました|た]。",
            "上司には話してい[ます|ある]。",
            "食洗機を買[いました|った]。",
        ),
        (
            "皆さんどうやって回して[いますか|る]？",
            "フルタイムに戻した方、後悔は[ありますか|ない]？",
            "パートの面接で子どものことは[話しますか|話す]？",
            "保育料はどのくらい変わ[りますか|る]？",
        ),
    ),
    (  # toilet, nappies
        (
            "{who}のトイレトレーニングが進[みません|まない]。",
            "園では成功するのに家では{often}失敗[します|する]。",
            "おねしょが{span}から増え[ました|た]。",
            "うんちだけオムツでしたが[ります|る]。",
            "便秘で{two_to_nine}日出てい[ません|ない]。",
        ),
        (
            "シールを貼るごほうびは飽き[ました|た]。",
            "補助便座は{two_to_nine}種類買[いました|った]。",
            "綿棒浣腸はし[ました|た]。",
            "怒らないようにしてい[ます|る]。",
        ),
        (
            "夏まで待ったほうがいい[でしょうか|かな]？",
            "きっかけは何[でしたか|だった]？",
            "夜のオムツはいつ外れ[ましたか|た]？",
            "病院に行く目安は[ありますか|ある]？",
        ),
    ),
    (  # temper
        (
            "{who}のイヤイヤ期で{feeling}。",
            "スーパーで{often}寝転がって泣[きます|く]。",
            "思い通りにならないと物を投げ[ます|る]。",
            "つい大声で怒鳴ってしま[います|う]。",
            "着替えも歯磨きも{often}拒否[です|]。",
        ),
        (
            "気持ちを代弁してい[ます|る]。",
            "選ばせる方法も試し[ました|た]。",
            "その場を離れるようにしてい[ます|る]。",
            "タイマーは効[きました|いた]。",
        ),
        (
            "いつまで続く[のでしょうか|の]？",
            "怒らない工夫を[教えてください|教えて]。",
            "外ではどうして[いますか|る]？",
            "発達相談に行くべき[でしょうか|かな]？",
        ),
    ),
    (  # family
        (
            "{elder}が{often}連絡なしに来[ます|る]。",
            "{elder}がお菓子を{often}あげてしま[います|う]。",
            "{partner}と教育方針が合[いません|わない]。",
            "お宮参りの写真のことで{elder}ともめ[ました|た]。",
            "帰省のたびに母乳のことを聞かれて{feeling}。",
        ),
        (
            "{partner}から伝えてもら[いました|った]。",
            "やんわり断っても通じ[ません|ない]。",
            "距離は置いてい[ます|る]。",
            "一度話し合[いました|った]。",
        ),
        (
            "角の立たない言い方は[ありますか|ある]？",
            "どこまで我慢[しますか|する]？",
            "皆さんなら何と[言いますか|言う]？",
            "帰省はどのくらいして[いますか|る]？",
        ),
    ),
    (  # lessons and screens
        (
            "{who}に習い事を始めるか迷ってい[ます|る]。",
            "動画を{often}{two_to_nine}時間見てしま[います|う]。",
            "スイミングを{two_to_nine}か月で嫌がるようにな[りました|った]。",
            "ひらがなをまだ読め[ません|ない]。",
            "{who}の言葉がゆっくりで{feeling}。",
        ),
        (
            "体験は{two_to_nine}か所行[きました|った]。",
            "ドリルは三日坊主[でした|だった]。",
            "時間を決めてタイマーをかけてい[ます|る]。",
            "絵本は読み聞かせてい[ます|る]。",
        ),
        (
            "月謝はいくらくらい[ですか|]？",
            "何歳から始め[ましたか|た]？",
            "やめどきは[ありますか|ある]？",
            "無理に教えないほうがいい[でしょうか|かな]？",
        ),
    ),
    (  # pregnancy and birth
        (
            "{two_to_nine}か月の妊婦[です|]。",
            "つわりで{often}{feeling}。",
            "産後{two_to_nine}か月、体型が戻[りません|らない]。",
            "入院の準備が進んでい[ません|ない]。",
            "母乳が足りているのか{feeling}。",
        ),
        (
            "助産師さんには聞[きました|いた]。",
            "ミルクは{two_to_nine}回足してい[ます|る]。",
            "里帰りはしない予定[です|]。",
            "上の子の預け先は決め[ました|た]。",
        ),
        (
            "必要だったものは何[ですか|]？",
            "混合の方、回数を[教えてください|教えて]。",
            "抜け毛はいつ止ま[りましたか|った]？",
            "立ち会いは[しましたか|した]？",
        ),
    ),
)

_ANSWERS: Final[Sequence[str]] = (
    "うちもまったく同じ[でした|だった]よ。{years}になったら急に落ち着[きました|いた]。",
    "大丈夫[です|]よ、{kid}もそうでしたが今は元気[です|]。",
    "厳しいことを言うよう[ですが|だけど]、もう少し早く病院に行ったほうがいいと思[います|う]。",
    "お母さんが悪いわけではないと思[います|う]。休めるときに休んで[ください|]ね。",
    "私は保健センターに相談して楽にな[りました|った]。",
    "お気持ちよくわか[ります|る]。{your_partner}にも頼って[ください|]ね。",
    "それは園に伝えていい話だと思[います|う]。連絡帳より口頭がいい[です|]よ。",
    "うちは{ware}を使ったら少しましにな[りました|った]。合わない子もいるみたい[です|]けど。",
    "甘えではない[です|]よ。私も{span}に同じことで泣[きました|いた]。",
    "正直それは親の都合かなと思[います|う]。お子さんの話も聞いてあげて[ください|]。",
)

_HARMLESS_LOOKALIKES: Final[Sequence[str]] = (
    # invitations, seen from the other side
    "{acquaintance}から{scheme}に誘われてい[ます|る]。角を立てずに断る方法を[教えてください|教えて]。",
    "{acquaintance}に「{income}稼げる」と言われて{channel}を交換したら、{scheme}の勧誘[でした|だった]。どう断れば[いいでしょうか|いい]？",
    "お茶に誘われて行ったら{ware}の販売[でした|だった]。縁を切るしかない[でしょうか|のかな]。",
    "「興味のある方は{channel}ください」という投稿を見かけ[ました|た]が、あれは通報して[いいですか|いいの]？",
    "{scheme}って実際どうなの[でしょうか|かな]。{acquaintance}がはまっていて心配[です|]。",
    "知らない人から{channel}で{scheme}の案内が来[ました|た]。みなさんも気をつけて[ください|]。",
    "{partner}が{scheme}を始めたいと言い出し[ました|た]。{income}なんて本当に稼げるの[でしょうか|かな]。",
    "在宅で{income}くらい働きたい[です|]。扶養を外れると税金はどうな[りますか|る]？",
    "副業で{income}の収入があ[ります|る]。保育園の就労証明は誰に書いてもらうの[でしょうか|かな]？",
    "{acquaintance}に{ware}を勧められて断れず買ってしま[いました|った]。クーリングオフは[できますか|できる]？",
    "{elder}が{ware}を定期購入してしま[いました|った]。解約の方法をご存じの方い[ますか|る]？",
    "「{offer}」という{channel}が来[ました|た]。{acquaintance}からなので断りづらい[です|]。",
    "「{offer}」と{acquaintance}に言われ[ました|た]。怪しい[ですよね|よね]？",
    "「{offer}」こういう書き込みが増えてい[ます|る]。運営に知らせれば[いいでしょうか|いい]？",
    "育児サークルの仲間を募集してい[ます|る]。興味のある方は児童館の受付に声をかけて[ください|]。お金はかか[りません|らない]。",
    "児童館で無料の離乳食教室があ[ります|る]。先着{two_to_nine}名で、申し込みは窓口[です|だよ]。",
    "おさがりの{ware}を{acquaintance}に譲ったらお礼に{two_to_nine}000円渡され[ました|た]。もらって[いいですか|いい]？",
    "在宅の仕事で{income}になるまで{two_to_nine}年かか[りました|った]。求人は普通の求人サイトで見つけ[ました|た]。",
    # honest recommendations
    "{ware}、うちでは大正解[でした|だった]。高かった[ですが|けど]夜がとても楽にな[りました|った]。",
    "{ware}のおすすめを[教えてください|教えて]。{site}で見たものが気になってい[ます|る]。",
    "市の子育て支援のページ（{site}）に詳しく書いてあ[りました|った]。無料で相談できるそう[です|]。",
    "{ware}を使っている方、口コミほど効果は[ありますか|ある]？値段が高くて迷[います|う]。",
    "フリマで{ware}を売りたい[です|]。送料込みだといくらが妥当[でしょうか|かな]？",
    "私は{ware}のおかげで助か[りました|った]。無料のサンプルをもらって試してから買うのがいい[です|]よ。",
    "子育てサークルの連絡は{channel}で[しますか|してる]？グループに入るのが苦手で悩んでい[ます|る]。",
    # personal data, asked about
    "{acquaintance}から電話番号を聞かれ[ました|た]。教えても[いいでしょうか|いいのかな]？",
    "連絡網に住所と電話番号を全部載せる園って普通[ですか|なの]？個人情報が心配[です|]。",
    "子どもの名前と学校名をSNSに書く{acquaintance}がい[ます|る]。やめてほしいと言っても[いいですか|いいかな]？",
    "市の相談窓口（{phone}）が親身になってくれ[ました|た]。悩んでいる方は電話してみて[ください|]。",
    "{phone}から何度も着信があ[ります|る]。心当たりのある方い[ますか|る]？詐欺でしょうか。",
    "迷子札に名前と電話番号を書いて[いますか|る]？住所まで書くのはやりすぎ[でしょうか|かな]。",
    "{school}と{school}で迷ってい[ます|る]。通わせている方、雰囲気を[教えてください|教えて]。",
    "{school}の説明会に行ってき[ました|た]。{two_to_nine}年生の教室は{two_to_nine}クラスだそう[です|]。",
    "{given}という名前、変でしょうか。{elder}に反対されてい[ます|る]。",
    "引っ越しで{place}に住む予定[です|]。小児科の評判を[教えてください|教えて]。",
    "{kid}が友達の{given}{suffix}とけんかし[ました|た]。相手の親に連絡すべき[でしょうか|かな]？",
    # insults, received or turned on oneself
    "「{abuse}」と{acquaintance}に言われ[ました|た]。どう返せばよかったの[でしょうか|かな]。",
    "前の相談に「{abuse}」と返信がつき、{feeling}。",
    "{elder}の口ぐせが「{abuse}」[です|]。聞き流すしか[ありませんか|ない]？",
    "{partner}とけんかになり「{abuse}」とまで言われ[ました|た]。",
    "{elder}に「{insult}」と言われ[ました|た]。悔しくて眠れ[ません|ない]。",
    "ここで「{insult}」とコメントされて落ち込んでい[ます|る]。気にしないほうがいい[でしょうか|のかな]。",
    "イライラして{kid}に「バカ」「あっち行け」と言ってしま[いました|った]。私は{insult}[です|だ]。",
    "こんなことで悩むなんて、自分でも{insult}だと思[います|う]。",
    "{partner}に「{insult}」「誰の金で食べてるんだ」と怒鳴られ[ます|る]。これはモラハラ[でしょうか|かな]？",
    "{who}が「死ね」「ばか」と言うようにな[りました|った]。どこで覚えたの[でしょうか|かな]。",
    "{insult}という言葉をネットで見るたびに自分のことのように感じ[ます|る]。",
    "{acquaintance}に「許さないからな」とすごまれ[ました|た]。警察に相談しても[いいですか|いい]？",
    "{kid}が学校で「お前なんか来るな」と言われたそう[です|]。先生に伝える[べきですか|べき]？",
)

_DIRECT_VIOLATIONS: Final = (_SOLICITATIONS, _PERSONAL_DATA, _ABUSE)
_INDIRECT_VIOLATIONS: Final = (_INDIRECT_SOLICITATIONS, _INDIRECT_PERSONAL_DATA, _INDIRECT_ABUSE)

_MARK: Final = re.compile(r"\{(\w+)\}|\[([^|\]]*)\|([^\]]*)\]")
_EMOJI: Final = (
    "😭",
    "😢",
    "💦",
    "🙏",
    "😊",
    "✨",
    "😅",
    "🥺",
    "💕",
    "(´;ω;`)",
    "(^^)",
    "m(_ _)m",
    "♪",
    "笑",
    "w",
    "…",
    "！",
    "！！",
)
_KANA: Final = re.compile(r"[ぁ-ん]{2}")
_FULL_WIDTH_DIGITS: Final = str.maketrans("0123456789", "０１２３４５６７８９")


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """A post and its label: 1 for a violation, 0 otherwise."""

    text: str
    label: int

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise ValueError("text must not be empty")
        if self.label not in (0, 1):
            raise ValueError(f"label must be 0 or 1, got {self.label!r}")


def generate_posts(count: int = 4000, seed: int = 1998) -> list[Post]:
    """Return `count` posts with distinct texts of 10 to 400 characters; the same seed gives the same posts anywhere."""
    if count < 1:
        raise ValueError(f"count must be at least 1, got {count}")
    writer = _Writer(seed)
    texts: set[str] = set()
    posts: list[Post] = []
    while len(posts) < count:
        violation = writer.chance(VIOLATION_SHARE)
        text = writer.violation() if violation else writer.harmless()
        mislabelled = writer.chance(MISSED_VIOLATION_RATE if violation else FALSE_ALARM_RATE)
        if text in texts or not SHORTEST_TEXT <= len(text) <= LONGEST_TEXT:
            continue
        texts.add(text)
        posts.append(Post(text=text, label=int(violation != mislabelled)))
    return posts


class _Writer:
    """Writes posts out of the grammar."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)  # nosec B311  # seeded
        self._casual = False

    # Random.random() is the one method whose sequence Python promises to keep between versions.
    def chance(self, probability: float) -> bool:
        return self._random.random() < probability

    def _pick(self, options: Sequence[str]) -> str:
        return options[int(self._random.random() * len(options))]

    def harmless(self) -> str:
        self._casual = self.chance(0.35)
        kind = self._random.random()
        if kind < 0.56:
            return self._finish(self._question())
        if kind < 0.70:
            return self._finish(self._answer())
        lookalike = self._expand(self._pick(_HARMLESS_LOOKALIKES))
        if self.chance(0.55):
            return self._finish([lookalike, *self._ending()])
        return self._finish([*self._beginning(), lookalike, *self._ending()])

    def violation(self) -> str:
        self._casual = self.chance(0.35)
        indirect = self.chance(0.55)
        families = _INDIRECT_VIOLATIONS if indirect else _DIRECT_VIOLATIONS
        family = families[int(self._random.random() * len(families))]
        core = self._expand(self._pick(family))
        shape = self._random.random()
        if shape < 0.40:
            return self._finish([core, *self._ending()])
        if shape < 0.62:
            return self._finish([*self._answer(), core])
        if shape < 0.90:
            return self._finish([*self._question(), core])
        return self._finish([core, self._expand(self._pick(family))])

    def _question(self) -> list[str]:
        happens, tried, asked = _TOPICS[int(self._random.random() * len(_TOPICS))]
        long = self.chance(0.12)
        templates = [self._pick(happens) for _ in range(3 if long else int(self.chance(0.9)))]
        for _ in range(int(self._random.random() ** 2 * 5) + (8 if long else 0)):
            templates.append(self._pick(tried if self.chance(0.5) else _SLOTS["filler"]))
        templates.append(self._pick(asked))
        return [*self._beginning(), *self._expand_distinct(templates), *self._ending()]

    def _answer(self) -> list[str]:
        templates = [self._pick(_ANSWERS) for _ in range(2 if self.chance(0.3) else 1)]
        if self.chance(0.4):
            templates.append(self._pick(_SLOTS["filler"]))
        return self._expand_distinct(templates)

    def _expand_distinct(self, templates: Sequence[str]) -> list[str]:
        return [self._expand(template) for template in dict.fromkeys(templates)]

    def _beginning(self) -> list[str]:
        return [self._expand(self._pick(_SLOTS["opening"]))] if self.chance(0.5) else []

    def _ending(self) -> list[str]:
        return [self._expand(self._pick(_SLOTS["closing"]))] if self.chance(0.35) else []

    def _expand(self, template: str) -> str:
        def replacement(mark: re.Match[str]) -> str:
            slot, polite, casual = mark.groups()
            if slot is not None:
                return self._expand(self._pick(_SLOTS[slot]))
            return self._expand(casual if self._casual else polite)

        return _MARK.sub(replacement, template)

    def _finish(self, sentences: list[str]) -> str:
        """Join sentences as people type them: line breaks, emoji, dropped full stops, widths, slips of the finger."""
        breaks = self._pick(("", "", "", "\n", "\n", "\n\n", " "))
        emoji_rate = self._random.random() * 0.4 if self.chance(0.4) else 0.0
        typed: list[str] = []
        for sentence in sentences:
            if sentence.endswith("。") and self.chance(0.12):
                sentence = sentence[:-1] + self._pick(("", "…", "！", "、", "💦"))
            if self.chance(emoji_rate):
                sentence += self._pick(_EMOJI)
            typed.append(sentence)
        text = breaks.join(typed)
        if self.chance(0.12):
            text = text.translate(_FULL_WIDTH_DIGITS)
        if self.chance(0.08):
            text = text.replace("？", "?").replace("！", "!")
        if self.chance(0.12):
            text = self._mistype(text)
        return text

    def _mistype(self, text: str) -> str:
        slips = list(_KANA.finditer(text))
        if not slips:
            return text
        at = slips[int(self._random.random() * len(slips))].start()
        first, second = text[at], text[at + 1]
        slip = self._pick((second + first, first, first + first + second))
        return text[:at] + slip + text[at + 2 :]


def main(arguments: Sequence[str] | None = None) -> None:
    """Write generated posts to a CSV file with the columns text and label."""
    parser = argparse.ArgumentParser(prog="python -m moderation_rehearsal.sample_posts", description=main.__doc__)
    parser.add_argument("--count", type=int, default=4000, help="number of posts (default: 4000)")
    parser.add_argument("--seed", type=int, default=1998, help="the same seed gives the same posts (default: 1998)")
    parser.add_argument("--output", type=Path, required=True, help="CSV file to write")
    chosen = parser.parse_args(arguments)
    try:
        posts = generate_posts(chosen.count, chosen.seed)
        with chosen.output.open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(("text", "label"))
            rows.writerows((post.text, post.label) for post in posts)
    except (OSError, ValueError) as fault:
        sys.exit(f"sample posts: {fault}")
    print(f"{len(posts)} posts, {sum(post.label for post in posts)} violations: {chosen.output}")


if __name__ == "__main__":
    main()
